package org.structkd.recipe;

import java.util.List;

/**
 * How intensities of 0 to 1 became the numbers of images.
 *
 * @param mean subtracted from each channel
 * @param deviation what it was divided by then
 */
public record Colours(List<Double> mean, List<Double> deviation) {
  /** Copies the lists. */
  public Colours {
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
  }
}
