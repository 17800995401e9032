package org.structkd.data;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * How intensities of 0 to 1 become the numbers that a network reads.
 *
 * @param mean subtracted, one for grey images or three for red, green and blue
 * @param deviation what they are divided by then, above 0
 */
record ColourScale(List<Double> mean, List<Double> deviation) {
  private static final int COLOURS = 3;

  /**
   * Checks the numbers, and copies the lists.
   *
   * @throws IllegalArgumentException if there are not one or three of each, or one is out of its
   *     range
   */
  ColourScale {
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
    if ((mean.size() != 1 && mean.size() != COLOURS) || deviation.size() != mean.size()) {
      throw new IllegalArgumentException(
          "mean has %d numbers and deviation %d, expected 1 each for grey pictures or 3 for colours"
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

  /**
   * {@return a scale of red, green and blue}
   *
   * @throws IllegalArgumentException if there are not three of each, or one is out of its range
   */
  static ColourScale ofColours(List<Double> mean, List<Double> deviation) {
    if (mean.size() != COLOURS || deviation.size() != COLOURS) {
      throw new IllegalArgumentException(
          "mean has %d numbers and deviation %d, expected 3 each, for red, green and blue"
              .formatted(mean.size(), deviation.size()));
    }
    return new ColourScale(mean, deviation);
  }

  /** {@return what a network reads of an intensity; the channel is 0 for red or grey, 1, or 2} */
  float of(int channel, float intensity) {
    return (float) ((intensity - mean.get(channel)) / deviation.get(channel));
  }

  /**
   * Brings the intensities of an image to the scale.
   *
   * @param intensities [C, H, W], are replaced
   */
  void apply(float[] intensities) {
    int plane = intensities.length / mean.size();
    for (int at = 0; at < intensities.length; at++) {
      intensities[at] = of(at / plane, intensities[at]);
    }
  }

  /**
   * {@return the intensities of images that were brought to the scale}
   *
   * @param images [B, C, H, W]
   */
  Tensor intensities(Tensor images) {
    return images.mul(channels(deviation)).add(channels(mean));
  }

  private static Tensor channels(List<Double> values) {
    float[] channels = new float[values.size()];
    for (int i = 0; i < channels.length; i++) {
      channels[i] = values.get(i).floatValue();
    }
    return Tensor.create(channels, 1, channels.length, 1, 1);
  }
}
