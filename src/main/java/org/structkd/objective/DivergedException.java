package org.structkd.objective;

/** A term became NaN or infinite: the step must not reach the student's parameters. */
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Name of the term. */
  private final String term;

  /** Step at which it happened. */
  private final long step;

  /** What it became. */
  private final double value;

  /** Position in the batch, or -1. */
  private final int image;

  DivergedException(String term, long step, double value) {
    this(term, step, value, -1);
  }

  DivergedException(String term, long step, double value, int image) {
    super(
        "term \""
            + term
            + "\" is "
            + value
            + " at step "
            + step
            + (image < 0 ? "" : ", first for image " + image + " of the batch")
            + ": the parameters are still those of the step before; check the inputs, or lower the"
            + " learning rate or the weight of this term");
    this.term = term;
    this.step = step;
    this.value = value;
    this.image = image;
  }

  /** Name of the term, or "total" where every term is finite and their sum is not. */
  public String term() {
    return term;
  }

  /** Step at which it happened. */
  public long step() {
    return step;
  }

  /**
   * {@return the first image, from 0, for which the term alone is not finite, or -1 if there is
   * none: only the batch as a whole is not}
   */
  public int image() {
    return image;
  }

  /** NaN or an infinity. */
  public double value() {
    return value;
  }
}
