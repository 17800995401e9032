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

  DivergedException(String term, long step, double value) {
    super(
        "term \""
            + term
            + "\" is "
            + value
            + " at step "
            + step
            + ": the parameters are still those of the step before; check the inputs, or lower the"
            + " learning rate or the weight of this term");
    this.term = term;
    this.step = step;
    this.value = value;
  }

  /** Name of the term, or "total" where every term is finite and their sum is not. */
  public String term() {
    return term;
  }

  /** Step at which it happened. */
  public long step() {
    return step;
  }

  /** NaN or an infinity. */
  public double value() {
    return value;
  }
}
