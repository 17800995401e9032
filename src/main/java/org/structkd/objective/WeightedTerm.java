package org.structkd.objective;

import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;

/**
 * A term with its name and weight.
 *
 * @param name how breakdowns, logs and errors call it; not blank
 * @param weight factor of the raw loss, by step
 * @param term the loss, wired to taps
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

  /**
   * A loss of the user's own that reads taps by their names, see {@link Term#of(Loss)}.
   *
   * @throws IllegalArgumentException as {@link WeightSchedule#constant}
   */
  public WeightedTerm(String name, double weight, Loss loss) {
    this(name, weight, Term.of(loss));
  }

  /** The same with a weight that moves. */
  public WeightedTerm(String name, WeightSchedule weight, Loss loss) {
    this(name, weight, Term.of(loss));
  }

  private static WeightSchedule named(String name, double weight) {
    try {
      return WeightSchedule.constant(weight);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("term \"" + name + "\": " + e.getMessage(), e);
    }
  }

  /**
   * {@return what the loss gets in a step, its trained part among it}
   *
   * @param step outputs by tap
   * @throws IllegalArgumentException as {@link Term#inputs}
   */
  public LossInputs inputs(StepInputs step) {
    return term.inputs(step, step.parts().get(name));
  }

  /** The weight at a step, checked; 0 where a decay has left the range of f32. */
  double weightAt(long step) {
    double value = weight.at(step);
    if (!(value >= 0 && value <= Float.MAX_VALUE)) { // also refuses NaN
      throw new IllegalArgumentException(
          ("term \"%s\": its schedule gives weight %s at step %s, expected a finite"
                  + " number of at least 0, in the range of f32")
              .formatted(name, value, step));
    }
    return value < Float.MIN_NORMAL ? 0 : value;
  }
}
