package org.structkd.data;

import java.util.List;

/**
 * How intensities of 0 to 1 become the numbers that a network reads.
 *
 * @param mean subtracted, for red, green and blue
 * @param deviation what they are divided by then, above 0
 */
record ColourScale(List<Double> mean, List<Double> deviation) {
  /**
   * Checks the numbers, and copies the lists.
   *
   * @throws IllegalArgumentException if there are not three of each, or one is out of its range
   */
  ColourScale {
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
    if (mean.size() != 3 || deviation.size() != 3) {
      throw new IllegalArgumentException(
          "mean has %d numbers and deviation %d, expected 3 each, for red, green and blue"
              .formatted(mean.size(), deviation.size()));
    }
    for (double value : mean) {
      if (!Double.isFinite(value)) {
        throw new IllegalArgumentException("mean is " + mean + ", expected finite numbers");
      }
    }
    for (double value : deviation) {
      if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException("deviation is " + deviation + ", expected above 0");
      }
    }
  }

  /** {@return what a network reads of an intensity; the channel is 0 for red, 1, or 2} */
  float of(int channel, float intensity) {
    return (float) ((intensity - mean.get(channel)) / deviation.get(channel));
  }
}
