package org.structkd.loss;

/**
 * How far predicted numbers are from what they should be. With s the prediction, y what it should
 * be, d = s - y, and n elements that take part.
 */
public sealed interface Distance {
  /** Whether it compares logarithms, so that numbers must be greater than 0. */
  default boolean isOfLogarithms() {
    return false;
  }

  /** Mean of d^2, the L2 error. */
  record Squared() implements Distance {}

  /** Mean of |d|, the L1 error. */
  record Absolute() implements Distance {}

  /**
   * Mean of d^2 / (2 beta) where |d| &lt; beta, else |d| - beta / 2: Huber's loss over beta.
   *
   * @param beta where the line begins, greater than 0; usually 1
   */
  record Smooth(double beta) implements Distance {
    /** Checks the number. */
    public Smooth {
      requireIn("smooth: beta", beta, Double.MAX_VALUE);
    }

    /** The smooth L1 error that detectors are trained by: beta 1. */
    public Smooth() {
      this(1);
    }
  }

  /**
   * Mean of |d| where |d| &lt;= c, else (d^2 + c^2) / (2 c): Huber's loss the other way round,
   * which weighs large errors more. c is a share of the largest |d| of the batch, and constant for
   * the gradient.
   *
   * <p>Source: I. Laina et al., "Deeper Depth Prediction with Fully Convolutional Residual
   * Networks", 3DV 2016.
   *
   * @param share of the largest error, above 0, up to 1; 0.2 there
   */
  record Berhu(double share) implements Distance {
    /** Checks the number. */
    public Berhu {
      requireIn("berhu: share", share, 1);
    }

    /** As published: a fifth of the largest error. */
    public Berhu() {
      this(0.2);
    }
  }

  /** Mean of |log s - log y|. */
  record LogAbsolute() implements Distance {
    @Override
    public boolean isOfLogarithms() {
      return true;
    }
  }

  /**
   * With e = log s - log y of one image: mean of e^2 - share (mean of e)^2, averaged over the
   * images in which something takes part. A factor common to all predictions of an image costs 1 -
   * share of what it would.
   *
   * <p>Source: D. Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep
   * Network", NIPS 2014.
   *
   * @param share above 0, up to 1: scale costs nothing at 1; 0.5 there
   */
  record ScaleInvariantLog(double share) implements Distance {
    /** Checks the number. */
    public ScaleInvariantLog {
      requireIn("scale-invariant log: share", share, 1);
    }

    /** As published: half. */
    public ScaleInvariantLog() {
      this(0.5);
    }

    @Override
    public boolean isOfLogarithms() {
      return true;
    }
  }

  private static void requireIn(String name, double value, double most) {
    if (!(value > 0 && value <= most)) { // also refuses NaN
      throw new IllegalArgumentException(
          name
              + " is "
              + value
              + (most == 1 ? ", expected above 0, up to 1" : ", expected a number above 0"));
    }
  }
}
