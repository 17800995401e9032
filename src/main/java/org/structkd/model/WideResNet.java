package org.structkd.model;

import java.io.IOException;
import org.structkd.data.DataFileException;

/**
 * A wide residual network for small images, WRN-depth-widening.
 *
 * <pre>{@code
 * images [B, C, H, W], w = 16 widening
 *   3x3 convolution (16)
 *   n blocks (w)               tap "stage1"    [B, w, H, W]
 *   n blocks (2 w, stride 2)   tap "stage2"    [B, 2 w, H/2, W/2]
 *   n blocks (4 w, stride 2)   tap "stage3"    [B, 4 w, H/4, W/4], before normalisation and ReLU
 *   normalisation, ReLU, mean  tap "embeddings" [B, 4 w]
 *   linear                     tap "logits"    [B, K]
 * }</pre>
 *
 * <p>A block is batch normalisation, ReLU and a 3x3 convolution, twice, and a shortcut, which is a
 * 1x1 convolution where the channels change; there is no dropout. The depth is 6 n + 4. Sizes are
 * rounded up. Initial weights are LibTorch's. It owns its layers until it is closed or collected,
 * whatever PointerScope it is made in. For one thread at a time.
 *
 * <p>Source: S. Zagoruyko, N. Komodakis, "Wide Residual Networks", BMVC 2016, arXiv 1605.07146.
 */
public final class WideResNet extends ImageClassifier<WideResNet.Config> {
  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "wide resnet";

  /** Channels of the first convolution, and of the first stage for a widening of 1. */
  private static final int STEM = 16;

  private static final int LAYERS_OF_A_BLOCK = 6; // two in each of three stages
  private static final int OTHER_LAYERS = 4; // as the publication counts: also two shortcuts

  /**
   * The shape of a network.
   *
   * @param channels of the images, 1 or more
   * @param depth layers as the publication counts them, 6 n + 4 for n blocks in each stage: 10, 16,
   *     22 ...
   * @param widening factor of all channels but those of the first convolution, 1 to 1024; all
   *     blocks have 2^28 weights or fewer
   * @param classes number of classes, 1 or more
   */
  public record Config(int channels, int depth, int widening, int classes) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and what is expected
     */
    public Config {
      requireSizes(KIND, channels, classes, "widening", widening);
      blocks(KIND, depth, LAYERS_OF_A_BLOCK, OTHER_LAYERS, STEM * widening);
    }

    private ResidualStages.Plan plan() {
      return new ResidualStages.Plan(
          channels,
          STEM,
          STEM * widening,
          blocks(KIND, depth, LAYERS_OF_A_BLOCK, OTHER_LAYERS, STEM * widening),
          classes,
          ResidualBlock.Order.NORMALISATION_FIRST);
    }
  }

  /**
   * A network with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public WideResNet(Config config, long seed) {
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
  public static WideResNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new WideResNet(config, 0));
  }
}
