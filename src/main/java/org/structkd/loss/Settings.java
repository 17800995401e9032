package org.structkd.loss;

/** Checks of a loss's numbers; a refusal names the loss, the setting and what it may be. */
final class Settings {
  private Settings() {}

  /** Requires a finite number above 0. */
  static void requirePositive(String loss, String name, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) { // also refuses NaN
      throw new IllegalArgumentException(
          loss + ": " + name + " is " + value + ", expected a finite number greater than 0");
    }
  }

  /** Requires a whole number of at least another. */
  static void requireAtLeast(String loss, String name, long value, long least) {
    if (value < least) {
      throw new IllegalArgumentException(
          loss + ": " + name + " is " + value + ", expected " + least + " or more");
    }
  }
}
