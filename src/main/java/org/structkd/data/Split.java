package org.structkd.data;

import java.util.Locale;

/** What a scene may be used for. No source image serves two splits. */
public enum Split {
  /** To train on. */
  TRAIN(0),
  /** To choose weights and settings by. */
  VALIDATION(1),
  /** For the numbers that are reported, once everything is chosen. */
  TEST(2);

  /** Part of the key of a scene, so it stays when constants are added or sorted. */
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
