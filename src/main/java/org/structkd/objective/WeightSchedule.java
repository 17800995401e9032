package org.structkd.objective;

/** The weight of a term as a function of the training step; deterministic, safe to share. */
@FunctionalInterface
public interface WeightSchedule {
  /**
   * The weight at a step.
   *
   * @param step counted from 0
   * @return finite, at least 0; {@link Objective} refuses anything else
   */
  double at(long step);

  /**
   * The same weight at every step.
   *
   * @throws IllegalArgumentException if it is negative or not finite
   */
  static WeightSchedule constant(double weight) {
    return new ConstantWeight(weight);
  }
}
