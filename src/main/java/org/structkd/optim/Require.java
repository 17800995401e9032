package org.structkd.optim;

/** Ranges that numbers of several optimizers must keep. */
final class Require {
  private Require() {}

  /** Checks a number of a record. */
  private static void require(boolean fits, String name, String expected, double value) {
    if (!fits) {
      throw new IllegalArgumentException(name + " must be " + expected + " but is " + value);
    }
  }

  /** Checks what all have. */
  static void common(double rate, double weightDecay) {
    require(
        rate > 0 && rate < Double.POSITIVE_INFINITY, // also refuses NaN
        "learning rate",
        "greater than 0 and finite",
        rate);
    require(
        rate <= Optimizer.LARGEST_RATE, "learning rate", "at most " + Optimizer.LARGEST_RATE, rate);
    require(
        weightDecay >= 0 && weightDecay <= Float.MAX_VALUE,
        "weight decay",
        "0 or greater and finite",
        weightDecay);
  }

  /** Checks the share of a running mean that a step keeps. */
  static void share(String name, double value) {
    require(value >= 0 && value < 1, name, "at least 0 and less than 1", value);
  }

  /** Checks what Adam and AdamW have. */
  static void adam(double rate, double beta1, double beta2, double eps, double weightDecay) {
    common(rate, weightDecay);
    share("beta1", beta1);
    share("beta2", beta2);
    require(eps > 0 && eps <= Float.MAX_VALUE, "eps", "greater than 0 and finite", eps);
  }
}
