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

  /**
   * A weight that grows evenly over the first steps and stays: weight min(1, (step + 1) / steps),
   * as the warm-up of a learning rate.
   *
   * @param weight the full weight, of step {@code steps} - 1 and all later ones
   * @param steps at least 1
   * @throws IllegalArgumentException if the weight is as above, or there is no step
   */
  static WeightSchedule warmup(double weight, long steps) {
    if (steps < 1) {
      throw new IllegalArgumentException(
          "warm-up of a weight: steps is " + steps + ", expected at least 1");
    }
    WeightSchedule full = constant(weight);
    return step -> Math.min(1, (step + 1) / (double) steps) * full.at(step);
  }
}
