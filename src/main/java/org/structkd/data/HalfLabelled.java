package org.structkd.data;

import java.util.Arrays;

/**
 * The batches of a training on examples that come again, all of them labelled or only some: then
 * half of every batch, rounded up, is drawn from those that are. A pure function of the step.
 *
 * @param count of all examples
 * @param labelled how many have labels, those in front; {@link SceneBatches#ALL}: all
 */
record HalfLabelled(int count, int labelled) {
  /** How many of a batch have labels where only some examples have, those in front. */
  static int half(int size) {
    return (size + 1) / 2;
  }

  /** How many of a batch have labels, those in front. */
  int inBatch(int size) {
    return labelled == SceneBatches.ALL ? size : half(size);
  }

  /**
   * Refuses fewer labelled examples than a batch draws, which would come twice in it.
   *
   * @param owner as sentences begin
   * @param size of the batch
   */
  void requireHalf(String owner, int size) {
    if (labelled != SceneBatches.ALL && labelled < half(size)) {
      throw new IllegalArgumentException(
          "%s: labelled is %d, expected at least %d, half a batch, or %d for all images"
              .formatted(owner, labelled, half(size), SceneBatches.ALL));
    }
  }

  /**
   * {@return the examples of a batch, first those with labels} Of either sort each comes once
   * before any comes again.
   *
   * @param seed of the orders of those with labels
   * @param others seed of the orders of those without
   * @param step counted from 0
   * @param size of the batch
   */
  int[] indices(long seed, long others, long step, int size) {
    int drawn = inBatch(size);
    int rest = size - drawn;
    int from = labelled == SceneBatches.ALL ? count : labelled;
    int[] indices = Arrays.copyOf(Rounds.indices(from, seed, step * drawn, drawn), size);
    int[] unlabelled = Rounds.indices(count - labelled, others, step * rest, rest);
    for (int i = 0; i < rest; i++) {
      indices[drawn + i] = labelled + unlabelled[i];
    }
    return indices;
  }
}
