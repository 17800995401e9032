package org.structkd.metric;

import java.util.Arrays;
import java.util.List;

/**
 * How often things of each class were taken for each class.
 *
 * @param classes names of the K classes
 * @param counts [true class][answered class], K by K, none below 0
 */
public record Confusion(List<String> classes, long[][] counts) {
  /**
   * Copies list and numbers.
   *
   * @throws IllegalArgumentException if there are not K by K numbers
   */
  public Confusion {
    classes = List.copyOf(classes);
    counts = Arrays.stream(counts).map(long[]::clone).toArray(long[][]::new);
    int size = classes.size();
    if (counts.length != size || Arrays.stream(counts).anyMatch(row -> row.length != size)) {
      throw new IllegalArgumentException(
          "a confusion of %d classes has not %d x %d counts".formatted(size, size, size));
    }
  }

  /** {@return a copy of the numbers} */
  @Override
  public long[][] counts() {
    return Arrays.stream(counts).map(long[]::clone).toArray(long[][]::new);
  }

  /**
   * {@return what this and another one counted}
   *
   * @param other of the same classes
   * @throws IllegalArgumentException if its classes are others; names both
   */
  public Confusion plus(Confusion other) {
    if (!classes.equals(other.classes)) {
      throw new IllegalArgumentException(
          "the classes are " + classes + " and " + other.classes + ", expected the same");
    }
    long[][] sum = counts();
    for (int i = 0; i < sum.length; i++) {
      for (int j = 0; j < sum.length; j++) {
        sum[i][j] += other.counts[i][j];
      }
    }
    return new Confusion(classes, sum);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Confusion confusion
        && classes.equals(confusion.classes)
        && Arrays.deepEquals(counts, confusion.counts);
  }

  @Override
  public int hashCode() {
    return 31 * classes.hashCode() + Arrays.deepHashCode(counts);
  }
}
