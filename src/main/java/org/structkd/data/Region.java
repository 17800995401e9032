package org.structkd.data;

/**
 * A rectangle of an image, in pixels.
 *
 * @param top its first row, 0 or more
 * @param left its first column, 0 or more
 * @param height rows, 1 or more
 * @param width columns, 1 or more
 */
public record Region(int top, int left, int height, int width) {
  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException if one is out of its range; names all
   */
  public Region {
    if (top < 0 || left < 0 || height < 1 || width < 1) {
      throw new IllegalArgumentException(
          ("a region has top %d, left %d, height %d and width %d, expected top and left of at least"
                  + " 0, height and width of at least 1")
              .formatted(top, left, height, width));
    }
  }

  /** Refuses a region that an image does not have. */
  void requireWithin(String name, int imageHeight, int imageWidth) {
    if ((long) top + height > imageHeight || (long) left + width > imageWidth) {
      throw new IllegalArgumentException(
          "%s in regions takes the rows %d to %d and the columns %d to %d, but images have %d x %d"
              .formatted(
                  name,
                  top,
                  (long) top + height - 1,
                  left,
                  (long) left + width - 1,
                  imageHeight,
                  imageWidth));
    }
  }
}
