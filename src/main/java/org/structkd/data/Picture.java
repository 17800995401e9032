package org.structkd.data;

/**
 * A picture of whole levels, as files hold it. The array is not copied.
 *
 * @param channels 1 for grey, 3 for red, green and blue
 * @param height rows
 * @param width columns
 * @param levels [channels, height, width] 0 to 255, as unsigned bytes
 */
record Picture(int channels, int height, int width, byte[] levels) {
  /** Levels of white. */
  static final double WHITE = 255;

  /** The same picture of another size, rounded to whole levels again. */
  Picture resized(int newHeight, int newWidth) {
    double[] planes = new double[levels.length];
    for (int i = 0; i < planes.length; i++) {
      planes[i] = levels[i] & 255;
    }
    double[] resized = Bicubic.resized(planes, height, width, newHeight, newWidth);
    byte[] rounded = new byte[resized.length];
    for (int i = 0; i < rounded.length; i++) {
      rounded[i] = (byte) Math.round(Math.max(0, Math.min(WHITE, resized[i])));
    }
    return new Picture(channels, newHeight, newWidth, rounded);
  }

  /** The upper left of it, so that both sizes are multiples of a scale. */
  Picture trimmed(int scale) {
    int newHeight = height - height % scale;
    int newWidth = width - width % scale;
    byte[] kept = new byte[channels * newHeight * newWidth];
    for (int row = 0; row < channels * newHeight; row++) {
      int line = row / newHeight * height + row % newHeight;
      System.arraycopy(levels, line * width, kept, row * newWidth, newWidth);
    }
    return new Picture(channels, newHeight, newWidth, kept);
  }

  /**
   * Copies a square as intensities, black 0 and white 1.
   *
   * @param variant 0 to 7: bit 0 turns it left to right, bit 1 upside down, bit 2 swaps rows and
   *     columns, in this order
   */
  void copySquare(int top, int left, int size, int variant, float[] to, int offset) {
    int at = offset;
    for (int channel = 0; channel < channels; channel++) {
      for (int i = 0; i < size; i++) {
        for (int j = 0; j < size; j++) {
          int place = turned(variant, size, i, j);
          int from = (channel * height + top + place / size) * width + left + place % size;
          to[at++] = (levels[from] & 255) / (float) WHITE;
        }
      }
    }
  }

  /**
   * Where a pixel of a turned square comes from.
   *
   * @param variant as {@link #copySquare} has them
   * @return row * size + column in the square as it was
   */
  static int turned(int variant, int size, int i, int j) {
    int row = (variant & 4) == 0 ? i : j;
    int column = (variant & 4) == 0 ? j : i;
    row = (variant & 2) == 0 ? row : size - 1 - row;
    column = (variant & 1) == 0 ? column : size - 1 - column;
    return row * size + column;
  }
}
