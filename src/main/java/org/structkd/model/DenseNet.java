package org.structkd.model;

import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.Set;
import org.structkd.data.DataFileException;

/**
 * A densely connected network for small images, DenseNet-BC: in a block, every layer reads the maps
 * of all layers before it.
 *
 * <pre>{@code
 * images [B, C, H, W], k = growth
 *   3x3 convolution (2 k)
 *   block 1: n layers, each adds k channels
 *   transition: normalisation      tap "transition1_norm" [B, c1, H, W], before the ReLU
 *     ReLU, 1x1 convolution (compression c1), mean of 2x2
 *   block 2, transition            tap "transition2_norm" [B, c2, H/2, W/2]
 *   ...
 *   last block, normalisation      tap "last_norm"        [B, c, H/2^(blocks-1), ...], before the ReLU
 *   ReLU, mean over positions      tap "embeddings"       [B, c]
 *   linear                         tap "logits"           [B, K]
 * }</pre>
 *
 * <p>A layer is normalisation, ReLU and a 1x1 convolution to 4 k channels, then normalisation, ReLU
 * and a 3x3 convolution to k channels; there is no dropout. The depth is 2 n blocks + blocks + 1:
 * two convolutions of each layer, the first one, those of the transitions, and the linear layer.
 * Sizes are rounded up, numbers of channels down. Initial weights are LibTorch's. All convolutions
 * can be quantised, see {@link ConvolutionLayer}; the linear layer stays in floats. It owns its
 * layers until it is closed or collected, whatever PointerScope it is made in. For one thread at a
 * time.
 *
 * <p>Source: G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely Connected Convolutional
 * Networks", CVPR 2017, arXiv 1608.06993. Small images have 3 blocks and a first convolution
 * without stride there, large ones 4 blocks; here the number of blocks is free.
 */
public final class DenseNet extends ImageClassifier<DenseNet.Config> {
  /** What its files call it, by their property {@code network}. */
  public static final String KIND = "densenet";

  /** Tap: the last normalisation, before the ReLU, [B, C, H, W]. */
  public static final String LAST_NORM = "last_norm";

  /** Sizes are halved between blocks: more would make any image a single position. */
  private static final int MAX_BLOCKS = 8;

  private static final int LAYER_CONVOLUTIONS = 2;

  /**
   * The shape of a network.
   *
   * @param channels of the images, 1 or more
   * @param blocks 1 to 8
   * @param depth layers with weights, 2 n blocks + blocks + 1 for n layers in each block: with 4
   *     blocks 13, 21, 29 ..., with 3 blocks 10, 16, 22 ...
   * @param growth channels that a layer adds, 1 to 1024; all weights together are 2^28 or fewer
   * @param compression share of the channels that a transition keeps, greater than 0, at most 1; at
   *     least one stays. 0.5 in the publication
   * @param classes number of classes, 1 or more
   */
  public record Config(
      int channels, int blocks, int depth, int growth, double compression, int classes) {
    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and what is expected
     */
    public Config {
      requireSizes(KIND, channels, classes, "growth", growth);
      if (blocks < 1 || blocks > MAX_BLOCKS) {
        throw new IllegalArgumentException(
            "%s: blocks is %d, expected 1 to %d".formatted(KIND, blocks, MAX_BLOCKS));
      }
      if (!(compression > 0 && compression <= 1)) { // also refuses NaN
        throw new IllegalArgumentException(
            "%s: compression is %s, expected a share greater than 0, at most 1"
                .formatted(KIND, compression));
      }
      requireDepth(blocks, depth);
      double weights = weights(channels, blocks, layers(blocks, depth), growth, compression);
      if (weights > MAX_WEIGHTS) {
        throw new IllegalArgumentException(
            "%s: depth %d and growth %d make %.0f million weights, expected at most %.0f million"
                .formatted(KIND, depth, growth, weights / 1e6, MAX_WEIGHTS / 1e6));
      }
    }

    private static void requireDepth(int blocks, int depth) {
      int perLayer = LAYER_CONVOLUTIONS * blocks;
      int others = blocks + 1;
      if (layers(blocks, depth) < 1 || (depth - others) % perLayer != 0) {
        throw new IllegalArgumentException(
            "%s: depth is %d, expected %d n + %d for n layers in each of %d blocks: %d, %d, %d ..."
                .formatted(
                    KIND,
                    depth,
                    perLayer,
                    others,
                    blocks,
                    perLayer + others,
                    2 * perLayer + others,
                    3 * perLayer + others));
      }
    }

    private static int layers(int blocks, int depth) {
      return (depth - blocks - 1) / (LAYER_CONVOLUTIONS * blocks);
    }

    /** {@return how many layers each block has} */
    int layers() {
      return layers(blocks, depth);
    }

    private static double weights(
        int channels, int blocks, int layers, int growth, double compression) {
      double weights = 9.0 * channels * 2 * growth;
      double in = 2 * growth;
      for (int block = 0; block < blocks; block++) {
        // Of n layers that read in, in + k, ...: 1x1 to 4 k channels, then 3x3 of 4 k by k.
        weights += layers * 4.0 * growth * (in + growth * (layers - 1) / 2.0);
        weights += layers * 36.0 * growth * growth;
        in += (double) layers * growth;
        weights += block < blocks - 1 ? in * in * compression : 0;
        in *= block < blocks - 1 ? compression : 1;
      }
      return weights;
    }

    private Set<String> taps() {
      Set<String> taps = new LinkedHashSet<>();
      for (int transition = 1; transition < blocks; transition++) {
        taps.add(transitionNorm(transition));
      }
      taps.add(LAST_NORM);
      taps.add(EMBEDDINGS);
      taps.add(LOGITS);
      return Set.copyOf(taps);
    }
  }

  /**
   * A network with random weights.
   *
   * @param config its shape
   * @param seed of the weights: equal seeds and shapes give equal weights. LibTorch's generator is
   *     left as it was
   */
  public DenseNet(Config config, long seed) {
    super(KIND, config, config.channels(), config.taps(), seed, () -> new DenseBlocks(config));
  }

  /**
   * A network out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the network, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static DenseNet of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new DenseNet(config, 0));
  }

  /**
   * {@return the tap of the normalisation of a transition, before the ReLU, [B, C, H, W]}
   *
   * @param transition 1 to blocks - 1: the one behind this block
   */
  public static String transitionNorm(int transition) {
    return "transition" + transition + "_norm";
  }
}
