package org.structkd.objective;

/** The weight of a term as a function of the training step; deterministic, safe to share. */
@FunctionalInterface
public interface WeightSchedule {
  /**
   * The weight at a step.
   *
   * @param step counted from 0
   * @return at least 0, at most {@link Float#MAX_VALUE}, the range of f32; {@link Objective}
   *     refuses anything else, and takes what is below {@link Float#MIN_NORMAL} as 0
   */
  double at(long step);

  /**
   * The same weight at every step.
   *
   * @throws IllegalArgumentException if it is negative, not finite, or above 0 and outside the
   *     normal numbers of f32
   */
  static WeightSchedule constant(double weight) {
    return new ConstantWeight(weight);
  }
}
