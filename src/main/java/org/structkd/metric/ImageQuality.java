package org.structkd.metric;

import java.util.Arrays;

/**
 * How near a picture is to the true one, in plain arrays: levels 0 to 255 in f64, row by row.
 * Stateless.
 */
public final class ImageQuality {
  /** Level of white: the peak of both measures. */
  public static final double WHITE = 255;

  /** What a picture without any error counts, in dB, whose logarithm is infinite. */
  public static final double MOST_DECIBELS = 100;

  /** Height and width of the window of SSIM. */
  public static final int WINDOW = 11;

  /** Deviation of SSIM's Gaussian, in pixels, and its constants: Wang et al. 2004. */
  private static final double DEVIATION = 1.5;

  private static final double C1 = 0.01 * WHITE * (0.01 * WHITE);
  private static final double C2 = 0.03 * WHITE * (0.03 * WHITE);

  private static final double[] GAUSSIAN = gaussian();

  private ImageQuality() {}

  private static double[] gaussian() {
    double[] weights = new double[WINDOW];
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
      double distance = (i - WINDOW / 2) / DEVIATION;
      weights[i] = StrictMath.exp(-distance * distance / 2);
      sum += weights[i];
    }
    for (int i = 0; i < WINDOW; i++) {
      weights[i] /= sum;
    }
    return weights;
  }

  /**
   * {@return the luma Y of ITU-R BT.601 in levels, 16 of black and 235 of white; a grey picture is
   * its own} As MATLAB's {@code rgb2ycbcr}, not rounded.
   *
   * @param planes red, green and blue [3, H, W], or grey [1, H, W]
   * @param channels 3 or 1
   * @throws IllegalArgumentException if there are others
   */
  public static double[] luma(double[] planes, int channels) {
    if (channels == 1) {
      return planes.clone();
    }
    if (channels != 3 || planes.length % 3 != 0) {
      throw new IllegalArgumentException(
          "luma: a picture has " + channels + " channels, expected 1 or 3");
    }
    int plane = planes.length / 3;
    double[] luma = new double[plane];
    for (int i = 0; i < plane; i++) {
      luma[i] =
          16
              + (65.481 * planes[i] + 128.553 * planes[plane + i] + 24.966 * planes[2 * plane + i])
                  / WHITE;
    }
    return luma;
  }

  /**
   * {@return the peak signal-to-noise ratio 10 log10(255^2 / mean squared error) in dB, at most
   * {@link #MOST_DECIBELS}}
   *
   * @param answer levels
   * @param truth as many levels
   * @throws IllegalArgumentException if their sizes differ
   */
  public static double psnr(double[] answer, double[] truth) {
    requireSameSize("PSNR", answer, truth);
    double squares = 0;
    for (int i = 0; i < truth.length; i++) {
      squares += (answer[i] - truth[i]) * (answer[i] - truth[i]);
    }
    double decibels = 10 * StrictMath.log10(WHITE * WHITE * truth.length / squares);
    return decibels > MOST_DECIBELS ? MOST_DECIBELS : decibels; // NaN stays what it is
  }

  /**
   * {@return the structural similarity: the mean over all windows of 11 x 11 that lie within the
   * picture, -1 to 1}
   *
   * <pre>{@code
   * (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2))
   * }</pre>
   *
   * <p>Means, variances and the covariance are weighted by a Gaussian of deviation 1.5; C1 and C2
   * are 2.55^2 and 7.65^2.
   *
   * <p>Source: Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural
   * Similarity", IEEE Transactions on Image Processing 13(4), 2004.
   *
   * @param answer levels [height, width]
   * @param truth levels of the same size
   * @param height rows, 11 or more
   * @param width columns, 11 or more
   * @throws IllegalArgumentException if sizes differ, or no window fits
   */
  public static double ssim(double[] answer, double[] truth, int height, int width) {
    requireSameSize("SSIM", answer, truth);
    if (height < WINDOW || width < WINDOW || height * width != truth.length) {
      throw new IllegalArgumentException(
          "SSIM: %s levels of %s x %s pixels, expected at least %s x %s"
              .formatted(truth.length, height, width, WINDOW, WINDOW));
    }
    double[] ofAnswer = smoothed(answer, answer, height, width);
    double[] ofTruth = smoothed(truth, truth, height, width);
    double[] ofBoth = smoothed(answer, truth, height, width);
    double[] one = ones(truth.length);
    double[] meanAnswer = smoothed(answer, one, height, width);
    double[] meanTruth = smoothed(truth, one, height, width);
    double sum = 0;
    for (int i = 0; i < ofBoth.length; i++) {
      double product = meanAnswer[i] * meanTruth[i];
      double squares = meanAnswer[i] * meanAnswer[i] + meanTruth[i] * meanTruth[i];
      double covariance = ofBoth[i] - product;
      double variances = ofAnswer[i] + ofTruth[i] - squares;
      sum += (2 * product + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2));
    }
    return sum / ofBoth.length;
  }

  private static double[] ones(int count) {
    double[] ones = new double[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** The weighted means of x y in all windows, row by row. */
  private static double[] smoothed(double[] x, double[] y, int height, int width) {
    int columns = width - WINDOW + 1;
    int rows = height - WINDOW + 1;
    double[] narrow = new double[height * columns];
    for (int row = 0; row < height; row++) {
      for (int column = 0; column < columns; column++) {
        int from = row * width + column;
        double sum = 0;
        for (int k = 0; k < WINDOW; k++) {
          sum += GAUSSIAN[k] * x[from + k] * y[from + k];
        }
        narrow[row * columns + column] = sum;
      }
    }
    double[] means = new double[rows * columns];
    for (int at = 0; at < means.length; at++) {
      for (int k = 0; k < WINDOW; k++) {
        means[at] += GAUSSIAN[k] * narrow[at + k * columns];
      }
    }
    return means;
  }

  /**
   * {@return a picture without its border}
   *
   * @param plane [height, width]
   * @param height rows, more than twice the border
   * @param width columns, more than twice the border
   * @param border pixels that are left out on each side, 0 or more
   * @throws IllegalArgumentException if nothing is left
   */
  public static double[] cropped(double[] plane, int height, int width, int border) {
    int rows = height - 2 * border;
    int columns = width - 2 * border;
    if (border < 0 || rows < 1 || columns < 1) {
      throw new IllegalArgumentException(
          "a picture of %s x %s pixels has no border of %s".formatted(height, width, border));
    }
    double[] kept = new double[rows * columns];
    for (int row = 0; row < rows; row++) {
      System.arraycopy(plane, (row + border) * width + border, kept, row * columns, columns);
    }
    return kept;
  }

  private static void requireSameSize(String name, double[] answer, double[] truth) {
    if (answer.length != truth.length || truth.length == 0) {
      throw new IllegalArgumentException(
          "%s: the answer has %s pixels and the truth %s, expected as many, 1 or more"
              .formatted(name, answer.length, truth.length));
    }
  }
}
