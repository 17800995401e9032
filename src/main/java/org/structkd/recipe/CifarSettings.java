package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.structkd.data.Cifar;
import org.structkd.data.CifarTask;
import org.structkd.data.Dataset;

/**
 * {@code {kind: cifar}}: the images of CIFAR-10 or CIFAR-100 in files of their binary version, see
 * {@link Cifar}.
 *
 * @param directory with these files
 * @param task which of the data sets, and which class of an image
 * @param batch images per training step, 1 to {@link Cifar#MAX_BATCH}
 * @param labelled training images that have labels; 0: all have
 * @param validation training images that are kept to evaluate a training on, 1 or more
 * @param test most images that students are compared on; 0: all
 * @param shift most pixels by which a training image is shifted
 * @param flip whether training images are mirrored by chance
 * @param mean subtracted from intensities of 0 to 1, for red, green and blue
 * @param deviation what they are divided by then, above 0
 */
record CifarSettings(
    Path directory,
    CifarTask task,
    int batch,
    int labelled,
    int validation,
    int test,
    int shift,
    boolean flip,
    List<Double> mean,
    List<Double> deviation)
    implements DataSettings {
  /** Checks the values. */
  public CifarSettings {
    mean = List.copyOf(mean);
    deviation = List.copyOf(deviation);
    if (batch < 1 || batch > Cifar.MAX_BATCH) {
      throw new IllegalArgumentException(
          "batch is %d, expected 1 to %d".formatted(batch, Cifar.MAX_BATCH));
    }
    new Cifar.Config(task, labelled, validation, test, shift, flip, mean, deviation);
  }

  /** Batches of 128, with what {@link Cifar.Config#of} says. */
  public CifarSettings(Path directory, CifarTask task) {
    this(directory, task, 128, Cifar.Config.of(task));
  }

  private CifarSettings(Path directory, CifarTask task, int batch, Cifar.Config config) {
    this(
        directory,
        task,
        batch,
        config.labelled(),
        config.validation(),
        config.test(),
        config.shift(),
        config.flip(),
        config.mean(),
        config.deviation());
  }

  @Override
  public Dataset load() throws IOException {
    return Cifar.fromDirectory(
        directory,
        new Cifar.Config(task, labelled, validation, test, shift, flip, mean, deviation));
  }
}
