package org.structkd.data;

import org.structkd.internal.CounterRandom;

/**
 * How a square image is moved: mirrored, then shifted, as a crop of the image that was padded and
 * perhaps mirrored.
 *
 * @param down rows by which it is shifted
 * @param right columns by which it is shifted
 * @param mirrored whether left and right change places
 */
record ImageMove(int down, int right, boolean mirrored) {
  static final ImageMove NONE = new ImageMove(0, 0, false);

  /** What {@link #source} says where nothing of the image lies. */
  static final int OUTSIDE = -1;

  /**
   * {@return a move by chance}
   *
   * @param shift most pixels in either direction
   * @param flip whether half of the images are mirrored
   * @param key decides
   */
  static ImageMove drawn(int shift, boolean flip, long key) {
    int places = 2 * shift + 1;
    return new ImageMove(
        CounterRandom.below(places, key, 0) - shift,
        CounterRandom.below(places, key, 1) - shift,
        flip && CounterRandom.below(2, key, 2) == 1);
  }

  /**
   * {@return which pixel is seen at a place, or {@link #OUTSIDE}}
   *
   * @param size height and width
   * @param at row * size + column, as is what is returned
   */
  int source(int size, int at) {
    int row = at / size - down;
    int across = at % size - right;
    boolean isInside = row >= 0 && row < size && across >= 0 && across < size;
    return isInside ? row * size + (mirrored ? size - 1 - across : across) : OUTSIDE;
  }
}
