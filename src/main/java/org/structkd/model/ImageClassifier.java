package org.structkd.model;

import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** What networks that tell the class of an image have in common. */
abstract class ImageClassifier<C extends Record> extends BuiltNetwork<C, BuiltNetwork.Layout> {
  /** Tap: the map behind the first stage, [B, C, H, W]. */
  public static final String STAGE1 = "stage1";

  /** Tap: the map behind the second stage, at half the size, rounded up. */
  public static final String STAGE2 = "stage2";

  /** Tap: the map behind the third stage, at half the size of the second's, rounded up. */
  public static final String STAGE3 = "stage3";

  /** Tap: the mean over the positions of the last map, [B, C]. */
  public static final String EMBEDDINGS = "embeddings";

  /** Tap: class scores [B, K]. */
  public static final String LOGITS = "logits";

  /** Largest width and widening: far beyond publications, and sizes are still whole numbers. */
  static final int MAX_WIDTH = 1024;

  /** Most weights of all blocks: 1 GB, so that a damaged file does not ask for all memory. */
  static final long MAX_WEIGHTS = 1L << 28;

  /** Weights of a block in each stage, in squares of the width: two times 9 of 1, 4 and 16. */
  private static final double WEIGHTS_OF_BLOCKS = 2 * 9 * (1 + 4 + 16);

  private final int channels;
  private final Set<String> taps;

  /**
   * Makes the layers with random weights, which the seed decides.
   *
   * @param channels of the images
   */
  ImageClassifier(
      String kind, C config, int channels, Set<String> taps, long seed, Supplier<Layout> make) {
    super(kind, config, make, seed);
    this.channels = channels;
    this.taps = taps;
  }

  /** Refuses sizes that no network has. */
  static void requireSizes(String kind, int channels, int classes, String name, int width) {
    if (channels < 1 || classes < 1) {
      throw new IllegalArgumentException(
          "%s: channels and classes are %d and %d, expected at least 1"
              .formatted(kind, channels, classes));
    }
    if (width < 1 || width > MAX_WIDTH) {
      throw new IllegalArgumentException(
          "%s: %s is %d, expected 1 to %d".formatted(kind, name, width, MAX_WIDTH));
    }
  }

  /**
   * {@return the blocks of each stage}
   *
   * @param perBlock layers of one block of every stage
   * @param others layers beside the blocks
   * @param width channels of the first stage
   */
  static int blocks(String kind, int depth, int perBlock, int others, int width) {
    int blocks = (depth - others) / perBlock;
    if (blocks < 1 || blocks * perBlock + others != depth) {
      throw new IllegalArgumentException(
          "%s: depth is %d, expected %d n + %d for n blocks in each of three stages: %d, %d, %d ..."
              .formatted(
                  kind,
                  depth,
                  perBlock,
                  others,
                  perBlock + others,
                  2 * perBlock + others,
                  3 * perBlock + others));
    }
    double weights = WEIGHTS_OF_BLOCKS * blocks * width * width;
    if (weights > MAX_WEIGHTS) {
      throw new IllegalArgumentException(
          ("%s: depth %d and %d channels of the first stage make %.0f million weights, expected at"
                  + " most %.0f million")
              .formatted(kind, depth, width, weights / 1e6, MAX_WEIGHTS / 1e6));
    }
    return blocks;
  }

  @Override
  public Set<String> taps() {
    return taps;
  }

  @Override
  public List<NetworkInput> reads() {
    return List.of(NetworkInput.images(channels, 1));
  }
}
