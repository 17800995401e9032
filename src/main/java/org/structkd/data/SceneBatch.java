package org.structkd.data;

import java.util.Objects;

/**
 * A batch of scenes in plain arrays, dense and row-major.
 *
 * <p>The arrays are not copied: a batch out of {@link FashionScenes} owns fresh ones, and whoever
 * holds the batch may write to them. Two batches are equal if they are the same arrays.
 *
 * @param size number of scenes B, 1 or more
 * @param images [B, 1, 48, 48] intensities: black 0, white 1, noise added and not clipped
 * @param labels [B, 48, 48] class of each pixel, 0 to 10, see {@link FashionScenes#CLASS_NAMES};
 *     {@link SceneBatches#UNLABELLED} as an unsigned byte where there is none
 */
public record SceneBatch(int size, float[] images, byte[] labels) {
  /**
   * Checks that the arrays have the size of the batch.
   *
   * @param size 1 or more
   * @param images B * 48 * 48 elements
   * @param labels B * 48 * 48 elements
   * @throws IllegalArgumentException if a size is out of range or does not fit; names both
   */
  public SceneBatch {
    Objects.requireNonNull(images, "images");
    Objects.requireNonNull(labels, "labels");
    if (size < 1 || size > FashionScenes.MAX_BATCH) {
      throw new IllegalArgumentException(
          "size must be 1 to " + FashionScenes.MAX_BATCH + " but is " + size);
    }
    requireLength("images", images.length, size);
    requireLength("labels", labels.length, size);
  }

  private static void requireLength(String argument, int length, int size) {
    int expected = size * FashionScenes.PIXELS;
    if (length != expected) {
      throw new IllegalArgumentException(
          "%s must have %s elements (%s scenes of 48x48) but has %s"
              .formatted(argument, expected, size, length));
    }
  }
}
