package org.structkd.data;

import java.util.Locale;

/** What an example may be used for. No rating and no photograph of a scene serves two splits. */
public enum Split {
  /** Students are trained on it. */
  TRAIN(0),
  /** Weights and settings are chosen by it. */
  VALIDATION(1),
  /** Numbers that are reported come from it, once everything is chosen. */
  TEST(2);

  /** A part of the key of a scene, so it stays when constants are added or sorted. */
  final int stream;

  Split(int stream) {
    this.stream = stream;
  }

  /** {@return its name as options spell it: lower case} */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
