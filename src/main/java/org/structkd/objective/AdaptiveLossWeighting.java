package org.structkd.objective;

/**
 * Adaptive loss weighting (ALW): moves the weight from one group of terms to another while training
 * goes on.
 *
 * <pre>{@code
 * L     = alpha (rising terms) + (1 - alpha) (falling terms)
 * alpha = progress / total, clamped to [0, 1];   progress = floor(step / stepsPerUnit)
 * }</pre>
 *
 * <p>In the publication the falling term is pixel-wise distillation, the rising ones are
 * cross-entropy and inter-class similarity, and the unit is an epoch: the student first imitates,
 * then learns. Step 0 has alpha 0. Immutable, may be shared.
 *
 * <p>Source: A. M. Mansourian et al., "AICSD", 2023; released code f99949e has it in a comment,
 * with 120 epochs and without the clamp, so that longer runs give the falling terms a negative
 * weight there.
 *
 * @param total units after which alpha is 1, at least 1
 * @param stepsPerUnit steps per unit, at least 1: of an epoch, or 1 to count steps
 */
public record AdaptiveLossWeighting(long total, long stepsPerUnit) {
  /** Checks both numbers. */
  public AdaptiveLossWeighting {
    if (total < 1 || stepsPerUnit < 1) {
      throw new IllegalArgumentException(
          "adaptive loss weighting: total is %s and stepsPerUnit %s, expected both to be at least 1"
              .formatted(total, stepsPerUnit));
    }
  }

  /** Counts steps. */
  public AdaptiveLossWeighting(long totalSteps) {
    this(totalSteps, 1);
  }

  /**
   * The share of the rising terms.
   *
   * @param step counted from 0
   * @return in [0, 1]
   * @throws IllegalArgumentException if the step is negative
   */
  public double alpha(long step) {
    if (step < 0) {
      throw new IllegalArgumentException(
          "adaptive loss weighting: step is " + step + ", expected at least 0");
    }
    return Math.min(1.0, (double) (step / stepsPerUnit) / total);
  }

  /** The weight alpha * weight, for a term that matters late. */
  public WeightSchedule rising(double weight) {
    WeightSchedule full = WeightSchedule.constant(weight);
    return step -> alpha(step) * full.at(step);
  }

  /** The weight (1 - alpha) * weight, for a term that matters early. */
  public WeightSchedule falling(double weight) {
    WeightSchedule full = WeightSchedule.constant(weight);
    return step -> (1.0 - alpha(step)) * full.at(step);
  }
}
