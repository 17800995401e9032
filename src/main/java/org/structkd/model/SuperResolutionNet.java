package org.structkd.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.DataFileException;
import org.structkd.internal.Layers;
import org.structkd.internal.NativeOps;

/**
 * Enlarges images: residual blocks in low resolution, a pixel shuffle, and what they find is added
 * to the image as bicubic interpolation enlarges it.
 *
 * <pre>{@code
 * images [B, C, H, W]
 *   head (3x3, width)
 *   -> blocks of x + conv(relu(conv(x)))   half of them: tap "features"   [B, width, H, W]
 *   -> body (3x3), added to the head       tap "body"                     [B, width, H, W]
 *                                          its means: tap "embeddings"    [B, width]
 *   -> convolution and pixel shuffle, once for each factor of 2
 *                                          tap "enlarged"                 [B, width, scale H, scale W]
 *   -> tail (3x3), added to the enlarged images
 *                                          tap "image"                    [B, C, scale H, scale W]
 * }</pre>
 *
 * <p>It begins near the bicubic image and so learns in fewer steps than one that begins at nothing.
 * It owns its layers until it is closed or collected. For one thread at a time.
 *
 * <p>Source: B. Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution",
 * CVPR Workshops 2017, arXiv 1707.02921; the added image: J. Kim et al., "Accurate Image
 * Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016, arXiv 1511.04587.
 */
public final class SuperResolutionNet
    extends BuiltNetwork<SuperResolutionNet.Config, SuperResolutionNet.Layout> {
  /** Tap: the map after half of the blocks, rounded up. */
  public static final String FEATURES = "features";

  /** Tap: the last map in low resolution. */
  public static final String BODY = "body";

  /** Tap: the means of the last map's channels, one embedding for each image. */
  public static final String EMBEDDINGS = "embeddings";

  /** Tap: the map in high resolution. */
  public static final String ENLARGED = "enlarged";

  /** Tap: the answer, black 0 and white 1, not clipped. */
  public static final String IMAGE = "image";

  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "super-resolution net";

  /** Largest width and most blocks: those of EDSR are 256 and 32. */
  public static final int MAX_SIZE = 512;

  private static final Set<String> TAPS = Set.of(FEATURES, BODY, EMBEDDINGS, ENLARGED, IMAGE);

  /** Factor of one pixel shuffle. */
  private static final int SHUFFLE = 2;

  /**
   * The shape of a net.
   *
   * @param channels of the images, 1 or more
   * @param width channels of the maps, 1 to {@link #MAX_SIZE}
   * @param blocks residual blocks, 1 to {@link #MAX_SIZE}
   * @param scale how many times larger answers are: 2 or 4
   */
  public record Config(int channels, int width, int blocks, int scale) {
    /** Checks the numbers. */
    public Config {
      if (channels < 1) {
        throw new IllegalArgumentException(
            "the channels of a super-resolution net must be 1 or more but are " + channels);
      }
      requireSize("width", width);
      requireSize("number of blocks", blocks);
      if (scale != 2 && scale != 4) {
        throw new IllegalArgumentException(
            "the scale of a super-resolution net must be 2 or 4 but is " + scale);
      }
    }

    private static void requireSize(String name, int size) {
      if (size < 1 || size > MAX_SIZE) {
        throw new IllegalArgumentException(
            "the %s of a super-resolution net must be 1 to %s but is %s"
                .formatted(name, MAX_SIZE, size));
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
  public SuperResolutionNet(Config config, long seed) {
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
  public static SuperResolutionNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new SuperResolutionNet(config, 0));
  }

  @Override
  public Set<String> taps() {
    return TAPS;
  }

  @Override
  public List<NetworkInput> reads() {
    return List.of(NetworkInput.images(config().channels(), 1));
  }

  /** The layers and how they follow each other. */
  static final class Layout implements BuiltNetwork.Staged {
    private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
    private final int scale;
    private final Conv2dImpl head;
    private final List<Block> blocks = new ArrayList<>();
    private final Conv2dImpl body;
    private final List<Conv2dImpl> enlarging = new ArrayList<>();
    private final Conv2dImpl tail;

    Layout(Config config) {
      scale = config.scale();
      int width = config.width();
      head = convolution("head", config.channels(), width);
      for (int i = 0; i < config.blocks(); i++) {
        String name = "block_" + i;
        blocks.add(
            new Block(
                convolution(name + "_first", width, width),
                convolution(name + "_second", width, width)));
      }
      body = convolution("body", width, width);
      for (int factor = 1; factor < scale; factor *= SHUFFLE) {
        enlarging.add(convolution("enlarge_" + factor, width, SHUFFLE * SHUFFLE * width));
      }
      tail = convolution("tail", width, config.channels());
    }

    private Conv2dImpl convolution(String name, int in, int out) {
      return Layers.convolution(module, name, in, out, 3, 1, true);
    }

    @Override
    public Module module() {
      return module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs, Stages stages) {
      Tensor images = inputs.get(IMAGES);
      Tensor shallow = stages.of(head::forward, images);
      Tensor deep = shallow;
      Tensor features = shallow;
      for (int i = 0; i < blocks.size(); i++) {
        deep = stages.of(blocks.get(i)::forward, deep);
        features = i == (blocks.size() - 1) / 2 ? deep : features;
      }
      Tensor last = body.forward(deep).add(shallow);
      Tensor enlarged = last;
      for (Conv2dImpl convolution : enlarging) {
        enlarged = torch.pixel_shuffle(convolution.forward(enlarged), SHUFFLE);
      }
      Tensor image = tail.forward(enlarged).add(NativeOps.resized(images, images, scale, true));
      return Map.of(
          FEATURES,
          features,
          BODY,
          last,
          EMBEDDINGS,
          last.mean(2, 3),
          ENLARGED,
          enlarged,
          IMAGE,
          image);
    }
  }

  /** What two convolutions add. */
  private record Block(Conv2dImpl first, Conv2dImpl second) {
    Tensor forward(Tensor input) {
      return second.forward(torch.relu(first.forward(input))).add(input);
    }
  }
}
