package org.structkd.model;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.DataFileException;
import org.structkd.internal.Settings;

/**
 * A small encoder-decoder for depth, of any width. The encoder halves the map four times, the
 * decoder goes back to half of the image and joins what the encoder had at each size; a disparity
 * is told at three of them.
 *
 * <pre>{@code
 * images [B, C, H, W]
 *   half (stride 2, width) -> quarter (stride 2, 2 width) -> eighth (stride 2, 4 width)
 *     -> sixteenth (stride 2, 4 width) -> bottom (4 width)
 *   enlarged, joined with eighth  -> decoder2 (4 width)  -> sigmoid: tap "disparity2" [B, 1, H/8, W/8]
 *   enlarged, joined with quarter -> decoder1 (2 width)  -> sigmoid: tap "disparity1" [B, 1, H/4, W/4]
 *            the map of decoder1: tap "features" [B, 2 width, H/4, W/4]
 *   enlarged, joined with half    -> decoder0 (width)    -> sigmoid: tap "disparity0" [B, 1, H/2, W/2]
 *   disparity0 enlarged           tap "disparity"  [B, 1, H, W], between 0 and 1
 *   1 / (1/farthest + (1/nearest - 1/farthest) disparity)
 *                                 tap "depth"      [B, 1, H, W]
 * }</pre>
 *
 * <p>Each block is a 3x3 convolution, batch normalisation and ReLU, each sigmoid follows a 1x1
 * convolution; enlarging is bilinear. Height and width of the images must be multiples of 16. It
 * owns its layers until it is closed or collected. For one thread at a time.
 *
 * <p>Source of the sigmoids, their range and their scales: C. Godard et al., "Digging Into
 * Self-Supervised Monocular Depth Estimation", ICCV 2019, arXiv 1806.01260, whose encoder is a
 * ResNet.
 */
public final class DepthNet extends BuiltNetwork<DepthNet.Config, DepthNet.Layout> {
  /** Tap: the decoder's map at a quarter of the image. */
  public static final String FEATURES = "features";

  /** Tap: disparity at the size of the image; at smaller ones its name ends with the scale's. */
  public static final String DISPARITY = "disparity";

  /** Tap: depth at the size of the image. */
  public static final String DEPTH = "depth";

  /** Sizes at which disparity is told: a half, a quarter and an eighth of the image. */
  public static final int SCALES = 3;

  /** Height and width of an image must be multiples of this: four strides of 2. */
  public static final int STRIDE = 16;

  /** Largest width: 70 million parameters. */
  public static final int MAX_WIDTH = 512;

  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "depth net";

  private static final Set<String> TAPS =
      Set.of(FEATURES, DISPARITY, DISPARITY + 0, DISPARITY + 1, DISPARITY + 2, DEPTH);

  /**
   * The shape of a net.
   *
   * @param channels of the images, 1 or more
   * @param width channels of the first block, 1 to {@link #MAX_WIDTH}
   * @param nearest depth, at a disparity of 1; above 0
   * @param farthest depth, at a disparity of 0; greater than nearest
   */
  public record Config(int channels, int width, double nearest, double farthest) {
    /** Checks the numbers. */
    public Config {
      Settings.requireCount(KIND, "channels", channels, 1);
      if (width < 1 || width > MAX_WIDTH) {
        throw new IllegalArgumentException(
            "%s: width is %s, expected 1 to %s".formatted(KIND, width, MAX_WIDTH));
      }
      if (!(nearest > 0 && farthest > nearest && farthest < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException(
            "%s: nearest is %s and farthest is %s, expected finite numbers above 0, nearest first"
                .formatted(KIND, nearest, farthest));
      }
    }
  }

  /**
   * A net with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public DepthNet(Config config, long seed) {
    super(KIND, config, () -> new Layout(config), seed);
  }

  /**
   * A net out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the net, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static DepthNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new DepthNet(config, 0));
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
    private final double least;
    private final double span;
    private final ConvolutionLayer half;
    private final ConvolutionLayer quarter;
    private final ConvolutionLayer eighth;
    private final ConvolutionLayer sixteenth;
    private final ConvolutionLayer bottom;
    private final ConvolutionLayer[] decoders = new ConvolutionLayer[SCALES];
    private final ConvolutionLayer[] heads = new ConvolutionLayer[SCALES];

    Layout(Config config) {
      least = 1 / config.farthest();
      span = 1 / config.nearest() - least;
      int width = config.width();
      half = ConvolutionLayer.normalized(module, "half", config.channels(), width, 2);
      quarter = ConvolutionLayer.normalized(module, "quarter", width, 2 * width, 2);
      eighth = ConvolutionLayer.normalized(module, "eighth", 2 * width, 4 * width, 2);
      sixteenth = ConvolutionLayer.normalized(module, "sixteenth", 4 * width, 4 * width, 2);
      bottom = ConvolutionLayer.normalized(module, "bottom", 4 * width, 4 * width, 1);
      int below = 4 * width;
      for (int scale = SCALES - 1; scale >= 0; scale--) {
        int own = width << scale; // as many as the encoder has at this size
        decoders[scale] =
            ConvolutionLayer.normalized(module, "decoder" + scale, below + own, own, 1);
        heads[scale] = ConvolutionLayer.pointwise(module, "head" + scale, own, 1);
        below = own;
      }
    }

    @Override
    public Module module() {
      return module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      Tensor images = inputs.get(IMAGES);
      Tensor[] skips = new Tensor[SCALES];
      skips[0] = half.forward(images);
      skips[1] = quarter.forward(skips[0]);
      skips[2] = eighth.forward(skips[1]);
      Tensor map = bottom.forward(sixteenth.forward(skips[2]));
      Tensor[] maps = new Tensor[SCALES];
      Tensor[] disparities = new Tensor[SCALES];
      for (int scale = SCALES - 1; scale >= 0; scale--) {
        Tensor joined = torch.cat(new TensorVector(resized(map, skips[scale]), skips[scale]), 1);
        map = decoders[scale].forward(joined);
        maps[scale] = map;
        disparities[scale] = torch.sigmoid(heads[scale].forward(map));
      }
      Tensor disparity = resized(disparities[0], images);
      Tensor depth = disparity.mul(new Scalar(span)).add(new Scalar(least)).reciprocal();
      return Map.of(
          FEATURES,
          maps[1],
          DISPARITY + 0,
          disparities[0],
          DISPARITY + 1,
          disparities[1],
          DISPARITY + 2,
          disparities[2],
          DISPARITY,
          disparity,
          DEPTH,
          depth);
    }

    @Override
    public List<ConvolutionLayer> convolutions() {
      return List.of(
          half,
          quarter,
          eighth,
          sixteenth,
          bottom,
          decoders[2],
          heads[2],
          decoders[1],
          heads[1],
          decoders[0],
          heads[0]);
    }

    private static Tensor resized(Tensor map, Tensor target) {
      return torch.upsample_bilinear2d(map, new long[] {target.size(2), target.size(3)}, false);
    }
  }
}
