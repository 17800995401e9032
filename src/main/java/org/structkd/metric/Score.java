package org.structkd.metric;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Named;

/**
 * What a network is worth: named numbers, of which the first leads: curves show it, the best
 * checkpoint and an early stop go by it.
 *
 * @param numbers at least one
 * @param details numbers in parts, such as by class, which tables show apart; may be empty. All
 *     names differ
 * @param confusion which classes were taken for which; null where answers are no classes
 */
public record Score(List<Number> numbers, List<Number> details, @Nullable Confusion confusion) {
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

  /** Copies the lists. */
  public Score {
    numbers = List.copyOf(numbers);
    details = List.copyOf(details);
    if (numbers.isEmpty()) {
      throw new IllegalArgumentException("a score needs at least one number");
    }
  }

  /** A score without a confusion of classes. */
  public Score(List<Number> numbers, List<Number> details) {
    this(numbers, details, null);
  }

  /** A score without details. */
  public Score(List<Number> numbers) {
    this(numbers, List.of());
  }

  /** {@return the number that leads} */
  public Number leading() {
    return numbers.get(0);
  }

  /**
   * {@return whether the leading number is better than another of its kind; NaN is never better}
   *
   * @param other leading number of another score
   */
  public boolean isBetterThan(double other) {
    double own = leading().value();
    if (Double.isNaN(other)) {
      return !Double.isNaN(own);
    }
    return leading().higherIsBetter() ? own > other : own < other;
  }

  /**
   * {@return the value of a number}
   *
   * @param name which
   * @throws IllegalArgumentException naming the known numbers, if there is none of this name
   */
  public double value(String name) {
    Map<String, Double> values = new LinkedHashMap<>();
    numbers.forEach(number -> values.put(number.name(), number.value()));
    details.forEach(number -> values.put(number.name(), number.value()));
    return Named.in(values, "the score", "number", name);
  }
}
