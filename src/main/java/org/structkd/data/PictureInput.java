package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/**
 * How a file of a picture becomes what networks see, as the pictures of a data set do: intensities,
 * black 0 and white 1, less a mean and divided by a deviation.
 *
 * @param mean for each channel: one for grey pictures, three for red, green and blue
 * @param deviation for each channel, above 0
 * @param classNames of what a network tells of such a picture, in the order of the labels
 */
public record PictureInput(List<Double> mean, List<Double> deviation, List<String> classNames) {
  /** Copies the lists and checks the numbers. */
  public PictureInput {
    ColourScale scale = new ColourScale(mean, deviation);
    mean = scale.mean();
    deviation = scale.deviation();
    classNames = List.copyOf(classNames);
  }

  /**
   * {@return intensities as they are}
   *
   * @param channels 1 or 3
   * @param classNames of what a network tells
   */
  public static PictureInput intensities(int channels, List<String> classNames) {
    return new PictureInput(all(channels, 0.0), all(channels, 1.0), classNames);
  }

  private static List<Double> all(int channels, double value) {
    return IntStream.range(0, channels).mapToObj(channel -> value).toList();
  }

  /** {@return 1 for grey pictures, 3 for colours} */
  public int channels() {
    return mean.size();
  }

  /**
   * {@return a picture as it is shown, f32 [1, C, H, W], in the caller's PointerScope} In colours a
   * grey one has three equal channels; transparency is left out.
   *
   * @param file PNG, JPEG or whatever else ImageIO has a reader for
   * @throws DataFileException if there is no such file, or it is no image, is cut off or too large,
   *     or is no grey of 8 bits where that is wanted
   * @throws IOException if the disk fails
   */
  public Tensor read(Path file) throws IOException {
    Picture picture = channels() == 1 ? PictureFile.grey(file) : PictureFile.colours(file);
    float[] values = new float[picture.levels().length];
    for (int at = 0; at < values.length; at++) {
      values[at] = (float) ((picture.levels()[at] & 255) / Picture.WHITE);
    }
    new ColourScale(mean, deviation).apply(values);
    return Tensor.create(values, 1, channels(), picture.height(), picture.width());
  }
}
