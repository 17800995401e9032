package org.structkd.train;

/**
 * Polynomial decay after a linear warm-up.
 *
 * <pre>{@code
 * rate(t) = base (1 - t / steps)^power * min(1, (t + 1) / warmup)
 * }</pre>
 *
 * <p>Power 0.9 is that of SKD and most segmentation work since L.-C. Chen et al., "DeepLab", 2018.
 *
 * @param base greatest rate, greater than 0, at most {@link #LARGEST}
 * @param warmup steps until the full rate; 0 for none
 * @param power of the decay, 0 (none) or greater
 */
public record LearningRate(double base, long warmup, double power) {
  /**
   * Largest rate of f32 parameters: Adam's first step divides it by 1 - beta1 = 0.1, and what it
   * multiplies by must be an f32.
   */
  public static final double LARGEST = Float.MAX_VALUE * 0.1;

  /** Checks the numbers. */
  public LearningRate {
    if (!(base > 0 && base < Double.POSITIVE_INFINITY)) { // also refuses NaN
      throw new IllegalArgumentException(
          "learning rate must be greater than 0 and finite but is " + base);
    }
    if (base > LARGEST) {
      throw new IllegalArgumentException(
          "learning rate must be at most " + LARGEST + " but is " + base);
    }
    if (warmup < 0) {
      throw new IllegalArgumentException("warm-up must be 0 steps or more but is " + warmup);
    }
    if (!(power >= 0 && power < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "power of the decay must be 0 or greater and finite but is " + power);
    }
  }

  /**
   * {@return decay with power 0.9, no warm-up}
   *
   * @param base greatest rate
   */
  public static LearningRate poly(double base) {
    return new LearningRate(base, 0, 0.9);
  }

  /**
   * {@return the rate of a step}
   *
   * @param step counted from 0, less than {@code steps}
   * @param steps of the whole training
   */
  public double at(long step, long steps) {
    double decay = Math.pow(1 - step / (double) steps, power);
    return base * decay * (step < warmup ? (step + 1) / (double) warmup : 1);
  }
}
