package org.structkd.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.DataFileException;
import org.structkd.internal.Layers;
import org.structkd.internal.Named;
import org.structkd.internal.Settings;

/**
 * A small encoder-decoder for segmentation, of any width. The encoder halves the map three times,
 * the decoder goes back to a quarter of the image and joins what the encoder had there.
 *
 * <pre>{@code
 * images [B, C, H, W]
 *   half (stride 2, width) -> quarter (stride 2, 2 width) -> skip (2 width)
 *     -> eighth (stride 2, 4 width) -> bottom (4 width), enlarged, joined with skip
 *   -> decoder (2 width)   tap "features"  [B, 2 width, H/4, W/4]
 *   -> head (1x1)          tap "logits"    [B, K, H/4, W/4]
 *   enlarged               tap "upsampled" [B, K, H, W]
 * }</pre>
 *
 * <p>Each block is a 3x3 convolution, batch normalisation and ReLU; enlarging is bilinear. A net
 * whose channels were pruned has the same blocks with any numbers of channels ({@link Config}). The
 * convolution of the deepest block may be a {@link DeformableConvolution}, which keeps the float
 * form where the others are quantised. It begins with all samples in their places and halved, and
 * the normalisation behind it undoes the half: such a net begins as an ordinary one. Height and
 * width of the images must be multiples of 8. It owns its layers until it is closed or collected,
 * whatever PointerScope it is made in. For one thread at a time.
 */
public final class SegmentationNet
    extends BuiltNetwork<SegmentationNet.Config, SegmentationNet.Layout>
    implements ShrinkableNetwork {
  /** Tap: the decoder's map at a quarter of the image, what relations are taken of. */
  public static final String FEATURES = "features";

  /** Tap: class scores at a quarter of the image. */
  public static final String LOGITS = "logits";

  /** Tap: class scores at the size of the image, what is scored. */
  public static final String UPSAMPLED = "upsampled";

  private static final Set<String> TAPS = Set.of(FEATURES, LOGITS, UPSAMPLED);

  /** Largest width: 57 million parameters. */
  public static final int MAX_WIDTH = 512;

  /** Height and width of an image must be multiples of this: three strides of 2. */
  public static final int STRIDE = 8;

  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "segmentation net";

  // Names of the blocks: of their layers, groups of channels and sizes in a file.
  private static final String HALF = "half";
  private static final String QUARTER = "quarter";
  private static final String SKIP = "skip";
  private static final String EIGHTH = "eighth";
  private static final String BOTTOM = "bottom";
  private static final String DECODER = "decoder";

  /**
   * The shape of a net: how many channels images, blocks and head have.
   *
   * @param channels of the images, 1 or more
   * @param half of the first block, 1 or more, as of all blocks
   * @param quarter of the second block
   * @param skip of the block whose map the decoder reads beside {@code bottom}'s
   * @param eighth of the block at an eighth of the image
   * @param bottom of the deepest block
   * @param decoder of the last block, the tap {@link #FEATURES}
   * @param classes number of classes, 1 or more
   * @param deformable whether the convolution of {@code bottom} learns where it looks
   */
  public record Config(
      int channels,
      int half,
      int quarter,
      int skip,
      int eighth,
      int bottom,
      int decoder,
      int classes,
      boolean deformable) {
    /** Checks the numbers. */
    public Config {
      if (channels < 1 || classes < 1) {
        throw new IllegalArgumentException(
            "a segmentation net needs channels and classes of at least 1 but has %s and %s"
                .formatted(channels, classes));
      }
      for (int block : new int[] {half, quarter, skip, eighth, bottom, decoder}) {
        if (block < 1 || block > 4 * MAX_WIDTH) {
          throw new IllegalArgumentException(
              "a block of a segmentation net must have 1 to %s channels but has %s"
                  .formatted(4 * MAX_WIDTH, block));
        }
      }
    }

    /**
     * The shape that the drawing above shows, of ordinary convolutions.
     *
     * @param channels of the images, 1 or more
     * @param width channels of the first block, 1 to {@link #MAX_WIDTH}
     * @param classes number of classes, 1 or more
     */
    public Config(int channels, int width, int classes) {
      this(
          channels,
          requireWidth(width),
          2 * width,
          2 * width,
          4 * width,
          4 * width,
          2 * width,
          classes,
          false);
    }

    /**
     * {@return the same channels}
     *
     * @param deformable whether the convolution of {@code bottom} learns where it looks
     */
    public Config withDeformable(boolean deformable) {
      return Settings.with(this, "deformable", deformable);
    }

    private static int requireWidth(int width) {
      if (width < 1 || width > MAX_WIDTH) {
        throw new IllegalArgumentException(
            "the width of a segmentation net must be 1 to " + MAX_WIDTH + " but is " + width);
      }
      return width;
    }
  }

  /**
   * A net with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public SegmentationNet(Config config, long seed) {
    super(KIND, config, () -> new Layout(config, seed), seed);
  }

  /**
   * A net out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the net, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static SegmentationNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new SegmentationNet(config, 0));
  }

  /** {@inheritDoc} They are the blocks but for the decoder, whose channels are the features. */
  @Override
  public List<ChannelGroup> channelGroups() {
    Config config = config();
    ChannelGroup.Reader[] deepest =
        config.deformable()
            ? new ChannelGroup.Reader[] {
              reader(BOTTOM, 0), new ChannelGroup.Reader(BOTTOM + "_conv_offsets.weight", 0)
            }
            : new ChannelGroup.Reader[] {reader(BOTTOM, 0)};
    return List.of(
        group(HALF, config.half(), reader(QUARTER, 0)),
        group(QUARTER, config.quarter(), reader(SKIP, 0)),
        group(SKIP, config.skip(), reader(EIGHTH, 0), reader(DECODER, config.bottom())),
        group(EIGHTH, config.eighth(), deepest),
        group(BOTTOM, config.bottom(), reader(DECODER, 0)));
  }

  private static ChannelGroup group(String block, int channels, ChannelGroup.Reader... readers) {
    String norm = block + "_norm.";
    return new ChannelGroup(
        block,
        channels,
        List.of(
            block + "_conv.weight",
            norm + "weight",
            norm + "bias",
            norm + "running_mean",
            norm + "running_var"),
        List.of(readers));
  }

  private static ChannelGroup.Reader reader(String block, int offset) {
    return new ChannelGroup.Reader(block + "_conv.weight", offset);
  }

  @Override
  public SegmentationNet withChannels(Map<String, Integer> channels) {
    Set<String> groups =
        channelGroups().stream().map(ChannelGroup::name).collect(Collectors.toSet());
    for (String name : channels.keySet()) {
      if (!groups.contains(name)) {
        throw Named.missing("a segmentation net", "group of channels", name, groups);
      }
    }
    return new SegmentationNet(
        Settings.changed(
            config(),
            (size, old) ->
                channels.containsKey(size.getName()) ? channels.get(size.getName()) : old),
        0);
  }

  @Override
  public Set<String> taps() {
    return TAPS;
  }

  @Override
  public int sizeMultiple() {
    return STRIDE;
  }

  @Override
  void require(Map<String, Tensor> inputs) {
    requireImages(inputs, config().channels(), STRIDE);
  }

  /** The layers and how they follow each other. */
  static final class Layout implements BuiltNetwork.Layout {
    private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
    private final ConvolutionLayer half;
    private final ConvolutionLayer quarter;
    private final ConvolutionLayer skip;
    private final ConvolutionLayer eighth;
    private final UnaryOperator<Tensor> bottom;
    private final ConvolutionLayer decoder;
    private final ConvolutionLayer head;
    private final List<ConvolutionLayer> all;

    Layout(Config config, long seed) {
      half = ConvolutionLayer.normalized(module, HALF, config.channels(), config.half(), 2);
      quarter = ConvolutionLayer.normalized(module, QUARTER, config.half(), config.quarter(), 2);
      skip = ConvolutionLayer.normalized(module, SKIP, config.quarter(), config.skip(), 1);
      eighth = ConvolutionLayer.normalized(module, EIGHTH, config.skip(), config.eighth(), 2);
      List<ConvolutionLayer> ordinary = new ArrayList<>(List.of(half, quarter, skip, eighth));
      if (config.deformable()) {
        bottom = deformable(config, seed);
      } else {
        ConvolutionLayer layer =
            ConvolutionLayer.normalized(module, BOTTOM, config.eighth(), config.bottom(), 1);
        ordinary.add(layer);
        bottom = layer::forward;
      }
      int joined = config.bottom() + config.skip();
      decoder = ConvolutionLayer.normalized(module, DECODER, joined, config.decoder(), 1);
      head = ConvolutionLayer.pointwise(module, "head", config.decoder(), config.classes());
      ordinary.addAll(List.of(decoder, head));
      all = List.copyOf(ordinary);
    }

    /**
     * A block as {@link ConvolutionLayer#normalized} makes them, whose convolution is deformable.
     */
    private UnaryOperator<Tensor> deformable(Config config, long seed) {
      DeformableConvolution convolution =
          new DeformableConvolution(
              module,
              BOTTOM + "_conv",
              new DeformableConvolution.Config(config.eighth(), config.bottom(), 3, 1, 1),
              seed);
      BatchNorm2dImpl norm = Layers.batchNorm(module, BOTTOM + "_norm", config.bottom());
      return input -> torch.relu(norm.forward(convolution.forward(input)));
    }

    @Override
    public Module module() {
      return module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      Tensor images = inputs.get(IMAGES);
      Tensor fine = skip.forward(quarter.forward(half.forward(images)));
      Tensor coarse = bottom.apply(eighth.forward(fine));
      Tensor joined = torch.cat(new TensorVector(resized(coarse, fine), fine), 1);
      Tensor features = decoder.forward(joined);
      Tensor logits = head.forward(features);
      return Map.of(FEATURES, features, LOGITS, logits, UPSAMPLED, resized(logits, images));
    }

    @Override
    public List<ConvolutionLayer> convolutions() {
      return all;
    }

    private static Tensor resized(Tensor map, Tensor target) {
      return torch.upsample_bilinear2d(map, new long[] {target.size(2), target.size(3)}, false);
    }
  }
}
