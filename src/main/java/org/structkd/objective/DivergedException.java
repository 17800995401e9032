package org.structkd.objective;

/**
 * A term, or its gradient, became NaN, infinite or too large to be squared: the step must not reach
 * the student's parameters.
 */
public final class DivergedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Name of the term. */
  private final String term;

  /** Step at which it happened. */
  private final long step;

  /** The value that the term took. */
  private final double value;

  /** Position in the batch, or -1. */
  private final int image;

  DivergedException(String term, long step, double value, int image, String sentence) {
    super(sentence);
    this.term = term;
    this.step = step;
    this.value = value;
    this.image = image;
  }

  private DivergedException(DivergedException cause, String sentence) {
    super(sentence, cause);
    this.term = cause.term;
    this.step = cause.step;
    this.value = cause.value;
    this.image = cause.image;
  }

  /**
   * {@return what to throw where outputs were finite but left a running statistic that is not}
   *
   * @param buffer its name
   * @param step whose outputs they were
   */
  public static DivergedException ofBuffer(String buffer, long step) {
    return new DivergedException(
        "total",
        step,
        Double.NaN,
        -1,
        ("buffer \"%s\" is not finite after the outputs of step %s: an image or a"
                + " feature is too large")
            .formatted(buffer, step));
  }

  /**
   * The same, saying what became of the student: only who moves its parameters knows.
   *
   * @param state such as "the student is as it was before this step"
   */
  public DivergedException with(String state) {
    return new DivergedException(this, getMessage() + "; " + state);
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

  /** The value of the term, or the largest of its gradient: NaN, an infinity, or too large. */
  public double value() {
    return value;
  }
}
