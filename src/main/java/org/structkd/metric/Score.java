package org.structkd.metric;

import java.util.List;

/**
 * What a network is worth: named numbers, of which the first leads: curves show it, the best
 * checkpoint and an early stop go by it.
 *
 * @param numbers at least one, of distinct names
 */
public record Score(List<Number> numbers) {
  /**
   * One number of a score.
   *
   * @param name as files call it: lower case, such as {@code miou}
   * @param title as people read it, such as {@code mIoU}
   * @param value the number
   * @param unit such as {@code dB}; empty for none
   * @param higherIsBetter its direction
   */
  public record Number(
      String name, String title, double value, String unit, boolean higherIsBetter) {}

  /** Copies the list. */
  public Score {
    numbers = List.copyOf(numbers);
    if (numbers.isEmpty()) {
      throw new IllegalArgumentException("a score needs at least one number");
    }
  }

  /** {@return the number that leads} */
  public Number leading() {
    return numbers.get(0);
  }

  /**
   * {@return whether this score is better than another by the leading number; NaN is never better}
   *
   * @param other score of the same kind
   */
  public boolean isBetterThan(Score other) {
    double mine = leading().value();
    double theirs = other.leading().value();
    if (Double.isNaN(theirs)) {
      return !Double.isNaN(mine);
    }
    return leading().higherIsBetter() ? mine > theirs : mine < theirs;
  }
}
