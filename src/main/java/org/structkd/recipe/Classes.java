package org.structkd.recipe;

import org.structkd.data.Dataset;

/** The classes of the data that a student or a metric is made for. */
final class Classes {
  private Classes() {}

  /**
   * {@return how many there are}
   *
   * @param who needs them, as sentences begin, such as "student: a resnet"
   * @throws IllegalArgumentException if the data have none
   */
  static int of(Dataset data, String who) {
    return data.classes()
        .orElseThrow(() -> new IllegalArgumentException(who + " needs data with classes"));
  }
}
