package org.structkd.data;

import java.util.Arrays;
import java.util.Objects;

/**
 * The batches of a training on scenes, all of them labelled or only some, as where drawing masks is
 * dear and photographs are not: from the others a student learns what its teacher says.
 *
 * <p>With {@link #withLabelled} the first scenes of the training split have labels and the others
 * have none. Half of every batch, rounded up, is drawn from the labelled ones, each once before any
 * comes again, in an order that changes every time around; the rest are scenes without labels, each
 * seen once, whose pixels are all {@link #UNLABELLED}. Immutable, may be shared.
 *
 * @param scenes where the scenes come from; their seed also decides the order
 * @param size scenes per batch B, 1 to {@link FashionScenes#MAX_BATCH}
 * @param labelled scenes that have labels, half a batch to {@link #MAX_LABELLED}, or {@link #ALL}
 */
public record SceneBatches(FashionScenes scenes, int size, int labelled) implements BatchSource {
  /** Every scene has labels: batch t has the scenes t B to t B + B - 1, each seen once. */
  public static final int ALL = 0;

  /** Most scenes that come again and again: their order is drawn anew for every batch. */
  public static final int MAX_LABELLED = 65_536;

  /** Label of a pixel that nobody labelled, the usual one of void pixels. */
  public static final int UNLABELLED = 255;

  /**
   * Checks the sizes.
   *
   * @throws IllegalArgumentException if one is out of its range; names it and both
   */
  public SceneBatches {
    Objects.requireNonNull(scenes, "scenes");
    if (size < 1 || size > FashionScenes.MAX_BATCH) {
      throw new IllegalArgumentException(
          "size must be 1 to " + FashionScenes.MAX_BATCH + " but is " + size);
    }
    requireLabelled(labelled);
    if (labelled != ALL && labelled < HalfLabelled.half(size)) {
      throw new IllegalArgumentException(
          "labelled must be %d (half a batch) to %d, or %d for all scenes, but is %d"
              .formatted(HalfLabelled.half(size), MAX_LABELLED, ALL, labelled));
    }
  }

  /** What holds for batches of any size. */
  static void requireLabelled(int labelled) {
    if (labelled < 0 || labelled > MAX_LABELLED) {
      throw new IllegalArgumentException(
          "labelled must be at most %d, or %d for all scenes, but is %d"
              .formatted(MAX_LABELLED, ALL, labelled));
    }
  }

  /**
   * {@return batches whose scenes all have labels}
   *
   * @param scenes where the scenes come from
   * @param size scenes per batch
   */
  public static SceneBatches of(FashionScenes scenes, int size) {
    return new SceneBatches(scenes, size, ALL);
  }

  /**
   * {@return these batches with fewer labels}
   *
   * @param labelled scenes that have labels
   */
  public SceneBatches withLabelled(int labelled) {
    return new SceneBatches(scenes, size, labelled);
  }

  /**
   * {@return which training scenes a batch has, in their order}
   *
   * @param batch counted from 0
   */
  public long[] indices(long batch) {
    long[] indices = new long[size];
    if (labelled == ALL) {
      Arrays.setAll(indices, i -> batch * size + i);
      return indices;
    }
    int drawn = HalfLabelled.half(size);
    int[] again = Rounds.indices(labelled, scenes.config().seed(), batch * drawn, drawn);
    for (int i = 0; i < drawn; i++) {
      indices[i] = again[i];
    }
    for (int i = drawn; i < size; i++) {
      indices[i] = labelled + batch * (size - drawn) + (i - drawn);
    }
    return indices;
  }

  @Override
  public Prepared prepare(long step) {
    SceneBatch batch = batch(step);
    return () -> SceneTensors.of(batch).toBatch();
  }

  /**
   * Composes a batch of the training split.
   *
   * @param batch counted from 0
   * @return fresh arrays
   */
  public SceneBatch batch(long batch) {
    SceneBatch result = scenes.batch(Split.TRAIN, indices(batch));
    if (labelled != ALL) {
      byte[] labels = result.labels();
      Arrays.fill(
          labels, HalfLabelled.half(size) * FashionScenes.PIXELS, labels.length, (byte) UNLABELLED);
    }
    return result;
  }
}
