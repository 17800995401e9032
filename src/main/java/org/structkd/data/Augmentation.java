package org.structkd.data;

import org.structkd.internal.CounterRandom;

/**
 * How photographs to train on change, as in publications about segmentation: scaled, cropped,
 * mirrored, and their colours shifted. A function of a key alone, so that what a step sees depends
 * on no thread and is the same when a training continues.
 *
 * @param crop what is cut out, anywhere; where the photograph is smaller it is filled up with the
 *     mean colour, whose pixels do not count
 * @param smallest least factor of the size, above 0
 * @param largest greatest factor, the least or more; the factor is uniform between the two
 * @param flip whether every other photograph, by chance, is mirrored
 * @param brightness 0 to 1: the brightness is multiplied by a uniform factor of 1 ± this
 * @param contrast 0 to 1: the distance to the mean grey of the crop, likewise
 * @param saturation 0 to 1: the distance of each pixel to its own grey, likewise
 */
public record Augmentation(
    Size crop,
    double smallest,
    double largest,
    boolean flip,
    double brightness,
    double contrast,
    double saturation) {
  /**
   * A height and a width in pixels.
   *
   * @param height rows, 1 or more
   * @param width columns, 1 or more
   */
  public record Size(int height, int width) {
    /** Checks the numbers. */
    public Size {
      if (height < 1 || width < 1) {
        throw new IllegalArgumentException(
            "a size is %d x %d, expected 1 x 1 or more".formatted(height, width));
      }
    }
  }

  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException if one is out of its range; names it
   */
  public Augmentation {
    if (!(smallest > 0 && largest >= smallest && largest <= 100)) {
      throw new IllegalArgumentException(
          "smallest is %s and largest is %s, expected 0 < smallest <= largest <= 100"
              .formatted(smallest, largest));
    }
    requireShare("brightness", brightness);
    requireShare("contrast", contrast);
    requireShare("saturation", saturation);
  }

  private static void requireShare(String name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(name + " is " + value + ", expected 0 to 1");
    }
  }

  /**
   * Scaled by 0.5 to 2, mirrored by chance, without a shift of colours: what CIRKD and most others
   * do for Cityscapes.
   *
   * @param crop what is cut out
   */
  public Augmentation(Size crop) {
    this(crop, 0.5, 2, true, 0, 0, 0);
  }

  /** A number from 0 to 1, 1 excluded. */
  private static double uniform(long key, int counter) {
    return (CounterRandom.bits(key, counter) >>> 11) * 0x1p-53;
  }

  private static double factor(double share, long key, int counter) {
    return 1 + share * (2 * uniform(key, counter) - 1);
  }

  /** Where a photograph of a size is looked at. */
  Window window(int height, int width, long key) {
    double scale = smallest + (largest - smallest) * uniform(key, 0);
    int scaledHeight = (int) Math.max(1, Math.round(height * scale));
    int scaledWidth = (int) Math.max(1, Math.round(width * scale));
    int top = place(scaledHeight - crop.height(), key, 1);
    int left = place(scaledWidth - crop.width(), key, 2);
    boolean mirrored = flip && CounterRandom.below(2, key, 3) == 1;
    return new Window(scaledHeight, scaledWidth, top, left, crop, mirrored);
  }

  /** Anywhere within; a crop that is larger begins where the photograph does. */
  private static int place(int room, long key, int counter) {
    return room <= 0 ? 0 : CounterRandom.below(room + 1, key, counter);
  }

  /**
   * Shifts the colours of a crop.
   *
   * @param pixels [3, plane] 0 to 1, from an offset on; changed in place and clipped
   */
  void shiftColours(float[] pixels, int offset, int plane, long key) {
    scale(pixels, offset, plane, factor(brightness, key, 4));
    double contrastFactor = factor(contrast, key, 5);
    if (contrastFactor != 1) {
      double mean = 0;
      for (int at = 0; at < plane; at++) {
        mean += grey(pixels, offset, plane, at) / plane;
      }
      for (int at = offset; at < offset + 3 * plane; at++) {
        pixels[at] = clipped(mean + contrastFactor * (pixels[at] - mean));
      }
    }
    double saturationFactor = factor(saturation, key, 6);
    for (int at = 0; saturationFactor != 1 && at < plane; at++) {
      double grey = grey(pixels, offset, plane, at);
      for (int channel = 0; channel < 3; channel++) {
        int i = offset + channel * plane + at;
        pixels[i] = clipped(grey + saturationFactor * (pixels[i] - grey));
      }
    }
  }

  private static void scale(float[] pixels, int offset, int plane, double factor) {
    for (int at = offset; factor != 1 && at < offset + 3 * plane; at++) {
      pixels[at] = clipped(factor * pixels[at]);
    }
  }

  /** Luma of ITU-R BT.601. */
  private static double grey(float[] pixels, int offset, int plane, int at) {
    return 0.299 * pixels[offset + at]
        + 0.587 * pixels[offset + plane + at]
        + 0.114 * pixels[offset + 2 * plane + at];
  }

  private static float clipped(double level) {
    return (float) Math.max(0, Math.min(1, level));
  }

  /**
   * A part of a photograph that is scaled.
   *
   * @param height of the whole, scaled
   * @param width of the whole, scaled
   * @param top first row of the part
   * @param left first column
   * @param size of the part, which may reach beyond the whole
   * @param mirrored whether the part is mirrored
   */
  record Window(int height, int width, int top, int left, Size size, boolean mirrored) {
    /** {@return the whole of a photograph, as large as a size allows, at its upper left} */
    static Window fitted(int height, int width, Size size) {
      double scale = Math.min((double) size.height() / height, (double) size.width() / width);
      return new Window(
          (int) Math.max(1, Math.min(size.height(), Math.round(height * scale))),
          (int) Math.max(1, Math.min(size.width(), Math.round(width * scale))),
          0,
          0,
          size,
          false);
    }

    /**
     * Copies a part of a photograph as intensities, black 0 and white 1, interpolated between its
     * pixels as OpenCV's and LibTorch's bilinear resizing do without antialiasing.
     *
     * @param mean what is beyond the photograph, one number for each channel
     */
    void copyColours(Picture picture, double[] mean, float[] to, int offset) {
      for (int channel = 0; channel < picture.channels(); channel++) {
        int plane = channel * picture.height() * picture.width();
        int at = offset + channel * size.height() * size.width();
        for (int row = 0; row < size.height(); row++) {
          for (int column = 0; column < size.width(); column++, at++) {
            to[at] =
                isBeyond(row, column)
                    ? (float) mean[channel]
                    : interpolated(picture, plane, row, column);
          }
        }
      }
    }

    private float interpolated(Picture picture, int plane, int row, int column) {
      double y = source(top + row, height, picture.height());
      double x = source(left + across(column), width, picture.width());
      int y0 = (int) y;
      int x0 = (int) x;
      int y1 = Math.min(y0 + 1, picture.height() - 1);
      int x1 = Math.min(x0 + 1, picture.width() - 1);
      double down = y - y0;
      double right = x - x0;
      double upper =
          level(picture, plane, y0, x0) * (1 - right) + level(picture, plane, y0, x1) * right;
      double lower =
          level(picture, plane, y1, x0) * (1 - right) + level(picture, plane, y1, x1) * right;
      return (float) ((upper * (1 - down) + lower * down) / Picture.WHITE);
    }

    private static int level(Picture picture, int plane, int row, int column) {
      return picture.levels()[plane + row * picture.width() + column] & 255;
    }

    /** Centres of pixels lie on each other. */
    private static double source(int at, int scaled, int original) {
      double place = (at + 0.5) * original / scaled - 0.5;
      return Math.max(0, Math.min(original - 1, place));
    }

    private int across(int column) {
      return mirrored ? size.width() - 1 - column : column;
    }

    private boolean isBeyond(int row, int column) {
      return top + row >= height || left + across(column) >= width;
    }

    /** Copies a part of a mask: of each pixel the nearest, {@link LabelTable#IGNORED} beyond it. */
    void copyClasses(byte[] mask, int maskHeight, int maskWidth, long[] to, int offset) {
      int at = offset;
      for (int row = 0; row < size.height(); row++) {
        int y = nearest(top + row, height, maskHeight);
        for (int column = 0; column < size.width(); column++, at++) {
          int x = nearest(left + across(column), width, maskWidth);
          to[at] = isBeyond(row, column) ? LabelTable.IGNORED : mask[y * maskWidth + x] & 255;
        }
      }
    }

    private static int nearest(int at, int scaled, int original) {
      return Math.min(original - 1, (int) (((long) 2 * at + 1) * original / (2L * scaled)));
    }
  }
}
