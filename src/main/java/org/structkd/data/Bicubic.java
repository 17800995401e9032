package org.structkd.data;

/**
 * Bicubic resizing as super-resolution makes its low resolution: the cubic of Keys with a = -1/2,
 * widened by the factor where a picture becomes smaller (which keeps out what the smaller one
 * cannot hold), and pictures mirrored at their edges.
 *
 * <pre>{@code
 * y[i]    = sum_j w[i,j] x[mirrored j] / sum_j w[i,j]      by columns, then by rows, in f64
 * w[i,j]  = k(s (u_i - j)),  u_i = (i + 1/2) / f - 1/2,  s = min(f, 1),  f = new size / size
 * k(t)    = 3/2 |t|^3 - 5/2 t^2 + 1                        |t| <= 1
 *           -1/2 |t|^3 + 5/2 t^2 - 4 |t| + 2               1 < |t| <= 2, else 0
 * }</pre>
 *
 * <p>This is what MATLAB's {@code imresize} does with its defaults. Stateless.
 *
 * <p>Source of the cubic: R. Keys, "Cubic convolution interpolation for digital image processing",
 * IEEE Transactions on Acoustics, Speech, and Signal Processing 29(6), 1981.
 */
public final class Bicubic {
  /** The cubic is 0 from here on. */
  private static final double REACH = 2;

  private Bicubic() {}

  /**
   * Resizes planes.
   *
   * @param planes any number of planes [height, width], one behind the other
   * @param height rows of a plane, 1 or more
   * @param width columns of a plane, 1 or more
   * @param newHeight rows afterwards, 1 or more
   * @param newWidth columns afterwards, 1 or more
   * @return as many planes [newHeight, newWidth], neither rounded nor clipped
   * @throws IllegalArgumentException if a size is less than 1, or planes are no whole number of
   *     planes
   */
  public static double[] resized(
      double[] planes, int height, int width, int newHeight, int newWidth) {
    for (int size : new int[] {height, width, newHeight, newWidth}) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "bicubic: a picture of %s x %s cannot become one of %s x %s, expected sizes of 1 or more"
                .formatted(height, width, newHeight, newWidth));
      }
    }
    if (planes.length % (height * width) != 0) {
      throw new IllegalArgumentException(
          "bicubic: planes have %s values, expected a multiple of %s x %s"
              .formatted(planes.length, height, width));
    }
    int count = planes.length / (height * width);
    double[] narrow = alongRows(planes, count * height, width, new Weights(width, newWidth));
    return alongColumns(narrow, count, height, newWidth, new Weights(height, newHeight));
  }

  /** What each new position takes of which old ones. */
  private static final class Weights {
    private final int[][] from;
    private final double[][] shares;

    Weights(int size, int newSize) {
      double factor = (double) newSize / size;
      double sharpness = Math.min(factor, 1);
      from = new int[newSize][];
      shares = new double[newSize][];
      for (int i = 0; i < newSize; i++) {
        double centre = (i + 0.5) / factor - 0.5;
        int first = (int) Math.ceil(centre - REACH / sharpness);
        int last = (int) Math.floor(centre + REACH / sharpness);
        from[i] = new int[last - first + 1];
        shares[i] = new double[last - first + 1];
        double sum = 0;
        for (int j = first; j <= last; j++) {
          from[i][j - first] = mirrored(j, size);
          shares[i][j - first] = cubic(sharpness * (centre - j));
          sum += shares[i][j - first];
        }
        for (int k = 0; k < shares[i].length; k++) {
          shares[i][k] /= sum;
        }
      }
    }

    /** Beyond the edge the picture goes back, its outermost pixel twice. */
    private static int mirrored(int index, int size) {
      int at = Math.floorMod(index, 2 * size);
      return at < size ? at : 2 * size - 1 - at;
    }

    private static double cubic(double position) {
      double t = Math.abs(position);
      if (t <= 1) {
        return (1.5 * t - 2.5) * t * t + 1;
      }
      return t <= 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
    }
  }

  private static double[] alongRows(double[] values, int rows, int width, Weights weights) {
    int newWidth = weights.from.length;
    double[] resized = new double[rows * newWidth];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < newWidth; column++) {
        int[] from = weights.from[column];
        double sum = 0;
        for (int k = 0; k < from.length; k++) {
          sum += weights.shares[column][k] * values[row * width + from[k]];
        }
        resized[row * newWidth + column] = sum;
      }
    }
    return resized;
  }

  private static double[] alongColumns(
      double[] values, int count, int height, int width, Weights weights) {
    int newHeight = weights.from.length;
    double[] resized = new double[count * newHeight * width];
    for (int plane = 0; plane < count; plane++) {
      for (int row = 0; row < newHeight; row++) {
        int to = (plane * newHeight + row) * width;
        for (int k = 0; k < weights.from[row].length; k++) {
          int line = (plane * height + weights.from[row][k]) * width;
          double share = weights.shares[row][k];
          for (int column = 0; column < width; column++) {
            resized[to + column] += share * values[line + column];
          }
        }
      }
    }
    return resized;
  }
}
