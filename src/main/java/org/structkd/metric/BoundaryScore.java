package org.structkd.metric;

import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * How well the boundaries of classes lie where they should, whatever areas they surround: the
 * boundary F-score (BF).
 *
 * <pre>{@code
 * boundary of a class   its pixels of which a neighbour above, below, left or right is of another
 * precision             share of the predicted boundary that is near the true one of this class
 * recall                share of the true boundary that is near the predicted one
 * F(image, class)       2 precision recall / (precision + recall)
 * F(class)              mean over the images in which it has a boundary, true or predicted
 * }</pre>
 *
 * <ul>
 *   <li><b>Near</b> is a Euclidean distance of at most the tolerance times the diagonal of the
 *       image, both in pixels. Images so small that this is less than 1 must agree exactly.
 *   <li><b>Values:</b> 0 to 1; 0 where only one of truth and prediction has a boundary.
 *   <li><b>Ignore index:</b> pixels with this label have no boundary, and are no neighbours of
 *       another class. Nor is what lies beyond the image.
 *   <li><b>Time:</b> grows by the square of the tolerance where boundaries are far apart.
 *   <li><b>Threads:</b> mutable, for one thread at a time.
 * </ul>
 *
 * <p>Source: G. Csurka, D. Larlus, F. Perronnin, F. Meylan, "What is a good evaluation measure for
 * semantic segmentation?", BMVC 2013, with a tolerance of 0.0075 (0.75 % of the diagonal), which is
 * also that of MATLAB's bfscore.
 */
public final class BoundaryScore {
  /** The published tolerance. */
  public static final double TOLERANCE = 0.0075;

  /** Of a pixel that is on no boundary. */
  private static final int NONE = -1;

  private final int classes;
  private final @Nullable Long ignoreIndex;
  private final double tolerance;
  private final double[] sums;
  private final long[] images;

  /**
   * Starts with no image counted.
   *
   * @param classes number of classes K, 1 to {@link SegmentationScore#MAX_CLASSES}
   * @param ignoreIndex label whose pixels do not count, or null for none
   * @param tolerance share of an image's diagonal, above 0 and at most 1
   * @throws IllegalArgumentException if one is out of its range; names it
   */
  public BoundaryScore(int classes, @Nullable Long ignoreIndex, double tolerance) {
    if (classes < 1 || classes > SegmentationScore.MAX_CLASSES) {
      throw new IllegalArgumentException(
          "classes must be 1 to " + SegmentationScore.MAX_CLASSES + " but is " + classes);
    }
    if (!(tolerance > 0 && tolerance <= 1)) {
      throw new IllegalArgumentException(
          ("the tolerance of boundaries is %s, expected above 0 and at most 1, as a share of the"
                  + " diagonal")
              .formatted(tolerance));
    }
    this.classes = classes;
    this.ignoreIndex = ignoreIndex;
    this.tolerance = tolerance;
    this.sums = new double[classes];
    this.images = new long[classes];
  }

  /**
   * Counts an image.
   *
   * @param labels true classes row by row, 0 to K - 1 or the ignore index
   * @param predictions predicted classes of the same pixels, 0 to K - 1 unless ignored
   * @param width pixels of a row
   * @throws IllegalArgumentException if lengths do not fit or a class is out of range; nothing was
   *     counted then
   */
  public void add(long[] labels, long[] predictions, int width) {
    if (labels.length != predictions.length || width < 1 || labels.length % width != 0) {
      throw new IllegalArgumentException(
          "labels and predictions have %d and %d pixels, expected whole rows of %d each"
              .formatted(labels.length, predictions.length, width));
    }
    int height = labels.length / width;
    int[] truth = boundary(labels, labels, width);
    int[] answer = boundary(predictions, labels, width);
    int[][] near = near(tolerance * Math.hypot(height, width));
    long[] found = new long[classes];
    long[] right = new long[classes];
    long[] trues = count(truth, answer, width, near, found);
    long[] answers = count(answer, truth, width, near, right);
    for (int k = 0; k < classes; k++) {
      if (trues[k] + answers[k] > 0) {
        double precision = answers[k] == 0 ? 0 : (double) right[k] / answers[k];
        double recall = trues[k] == 0 ? 0 : (double) found[k] / trues[k];
        sums[k] += precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
        images[k]++;
      }
    }
  }

  private boolean ignored(long label) {
    return ignoreIndex != null && label == ignoreIndex;
  }

  /** The class of each pixel on a boundary, {@link #NONE} of the others. */
  private int[] boundary(long[] map, long[] labels, int width) {
    int[] boundary = new int[map.length];
    for (int at = 0; at < map.length; at++) {
      boundary[at] = NONE;
      if (ignored(labels[at])) {
        continue;
      }
      if (map[at] < 0 || map[at] >= classes) {
        throw new IllegalArgumentException(
            "pixel %d is of class %d, expected 0 to %d".formatted(at, map[at], classes - 1));
      }
      boolean differs =
          at % width > 0 && differs(map, labels, at, at - 1)
              || at % width < width - 1 && differs(map, labels, at, at + 1)
              || at >= width && differs(map, labels, at, at - width)
              || at + width < map.length && differs(map, labels, at, at + width);
      if (differs) {
        boundary[at] = (int) map[at];
      }
    }
    return boundary;
  }

  private boolean differs(long[] map, long[] labels, int at, int neighbour) {
    return !ignored(labels[neighbour]) && map[neighbour] != map[at];
  }

  /** Steps {down, right} to the pixels within a radius, the nearest first. */
  private static int[][] near(double radius) {
    int reach = (int) radius;
    return IntStream.rangeClosed(-reach, reach)
        .boxed()
        .flatMap(y -> IntStream.rangeClosed(-reach, reach).mapToObj(x -> new int[] {y, x}))
        .filter(step -> distance(step) <= radius * radius)
        .sorted((a, b) -> Integer.compare(distance(a), distance(b)))
        .toArray(int[][]::new);
  }

  private static int distance(int[] step) {
    return step[0] * step[0] + step[1] * step[1];
  }

  /**
   * Counts the pixels of one boundary.
   *
   * @param matched is raised by those, of each class, that the other boundary is near to
   * @return all of each class
   */
  private long[] count(int[] own, int[] other, int width, int[][] near, long[] matched) {
    long[] all = new long[classes];
    for (int at = 0; at < own.length; at++) {
      if (own[at] != NONE) {
        all[own[at]]++;
        matched[own[at]] += isNear(own[at], other, at, width, near) ? 1 : 0;
      }
    }
    return all;
  }

  private static boolean isNear(int label, int[] other, int at, int width, int[][] near) {
    int height = other.length / width;
    for (int[] step : near) {
      int row = at / width + step[0];
      int column = at % width + step[1];
      if (row >= 0
          && row < height
          && column >= 0
          && column < width
          && other[row * width + column] == label) {
        return true;
      }
    }
    return false;
  }

  /**
   * {@return the mean F-score of one class, 0 to 1, or NaN if it has no boundary in any image}
   *
   * @param index the class, 0 to K - 1
   */
  public double f(int index) {
    return images[index] == 0 ? Double.NaN : sums[index] / images[index];
  }

  /** {@return the mean of {@link #f} over the classes that have one, 0 to 1; NaN if none has} */
  public double meanF() {
    return IntStream.range(0, classes)
        .mapToDouble(this::f)
        .filter(f -> !Double.isNaN(f))
        .average()
        .orElse(Double.NaN);
  }
}
