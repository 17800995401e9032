package org.structkd.model;

import java.io.IOException;
import org.structkd.data.DataFileException;

/**
 * A residual network for small images, such as those of CIFAR-10, of any depth and width.
 *
 * <pre>{@code
 * images [B, C, H, W]
 *   3x3 convolution (width)
 *   n blocks (width)               tap "stage1"    [B, width, H, W]
 *   n blocks (2 width, stride 2)   tap "stage2"    [B, 2 width, H/2, W/2]
 *   n blocks (4 width, stride 2)   tap "stage3"    [B, 4 width, H/4, W/4]
 *   mean over positions            tap "embeddings" [B, 4 width]
 *   linear                         tap "logits"    [B, K]
 * }</pre>
 *
 * <p>A block is two 3x3 convolutions with batch normalisation and ReLU and a shortcut without
 * parameters, "option A": every second row and column where the map is halved, new channels are
 * zeros. The depth is 6 n + 2. Sizes are rounded up. Initial weights are LibTorch's. It owns its
 * layers until it is closed or collected, whatever PointerScope it is made in. For one thread at a
 * time.
 *
 * <p>Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
 * 2016, section 4.2; the width is 16 there.
 */
public final class ResNet extends ImageClassifier<ResNet.Config> {
  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "resnet";

  private static final int LAYERS_OF_A_BLOCK = 6; // two in each of three stages
  private static final int OTHER_LAYERS = 2;

  /**
   * The shape of a network.
   *
   * @param channels of the images, 1 or more
   * @param depth layers with weights, 6 n + 2 for n blocks in each stage: 8, 14, 20 ...
   * @param width channels of the first stage, 1 to 1024; all blocks have 2^28 weights or fewer
   * @param classes number of classes, 1 or more
   */
  public record Config(int channels, int depth, int width, int classes) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and what is expected
     */
    public Config {
      requireSizes(KIND, channels, classes, "width", width);
      blocks(KIND, depth, LAYERS_OF_A_BLOCK, OTHER_LAYERS, width);
    }

    private ResidualStages.Plan plan() {
      return new ResidualStages.Plan(
          channels,
          width,
          width,
          blocks(KIND, depth, LAYERS_OF_A_BLOCK, OTHER_LAYERS, width),
          classes,
          ResidualBlock.Order.CONVOLUTION_FIRST);
    }
  }

  /**
   * A network with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public ResNet(Config config, long seed) {
    super(
        KIND,
        config,
        config.channels(),
        ResidualStages.TAPS,
        seed,
        () -> new ResidualStages(config.plan()));
  }

  /**
   * A network out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the network, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static ResNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new ResNet(config, 0));
  }
}
