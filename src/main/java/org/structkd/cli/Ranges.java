package org.structkd.cli;

/** Checks numbers of the command line. */
final class Ranges {
  /** Enough for any training here, and far from overflow. */
  static final long MAX_STEPS = 10_000_000;

  private Ranges() {}

  static void require(String option, long value, long least, long greatest) {
    if (value < least || value > greatest) {
      throw new CommandFailure(
          CommandFailure.BAD_INPUT,
          option + " must be " + least + " to " + greatest + " but is " + value);
    }
  }
}
