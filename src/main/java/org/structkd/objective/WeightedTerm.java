package org.structkd.objective;

/**
 * A term with its name and weight.
 *
 * @param name how breakdowns, logs and errors call it; not blank
 * @param weight factor of the raw loss, by step
 * @param term the loss
 */
public record WeightedTerm(String name, WeightSchedule weight, Term term) {
  /** Checks that nothing is missing. */
  public WeightedTerm {
    if (name == null || name.isBlank()) {
      throw new IllegalArgumentException("a term needs a name, given: \"" + name + "\"");
    }
    if (weight == null || term == null) {
      throw new IllegalArgumentException(
          "term \"" + name + "\": " + (weight == null ? "weight" : "term") + " is null");
    }
  }

  /**
   * A term of constant weight.
   *
   * @throws IllegalArgumentException as {@link WeightSchedule#constant}
   */
  public WeightedTerm(String name, double weight, Term term) {
    this(name, named(name, weight), term);
  }

  private static WeightSchedule named(String name, double weight) {
    try {
      return WeightSchedule.constant(weight);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("term \"" + name + "\": " + e.getMessage(), e);
    }
  }

  /** The weight at a step, checked; 0 where a decay has left the range of f32. */
  double weightAt(long step) {
    double value = weight.at(step);
    if (!(value >= 0 && value <= Float.MAX_VALUE)) { // also refuses NaN
      throw new IllegalArgumentException(
          "term \""
              + name
              + "\": its schedule gives weight "
              + value
              + " at step "
              + step
              + ", expected a finite number of at least 0, in the range of f32");
    }
    return value < Float.MIN_NORMAL ? 0 : value;
  }
}
