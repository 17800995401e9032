package org.structkd.run;

/** A run cannot be made, continued or finished; the message is one sentence. */
public final class RunException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final boolean refused;

  private RunException(boolean refused, String sentence) {
    super(sentence);
    this.refused = refused;
  }

  /** What was asked, or a file or folder that it names, makes no sense. */
  public static RunException refused(String sentence) {
    return new RunException(true, sentence);
  }

  /** What was asked made sense, and came to nothing. */
  public static RunException failed(String sentence) {
    return new RunException(false, sentence);
  }

  /** {@return whether what was asked makes no sense} */
  public boolean isRefused() {
    return refused;
  }
}
