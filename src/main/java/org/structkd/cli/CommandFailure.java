package org.structkd.cli;

/** Ends a command with a sentence and an exit status. */
final class CommandFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** The command line or something it names makes no sense. */
  static final int BAD_INPUT = 2;

  private final int status;

  CommandFailure(int status, String sentence) {
    super(sentence);
    this.status = status;
  }

  int status() {
    return status;
  }
}
