package org.structkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * The images of CIFAR-10 or CIFAR-100, out of the files of their binary version, for
 * classification: {@code images} f32 [B, 3, 32, 32] with {@code labels} i64 [B].
 *
 * <ul>
 *   <li><b>Splits:</b> test images come from the test file; of the training images the last are
 *       kept for validation. The files have them in no order of classes.
 *   <li><b>Order:</b> each training image comes once before any comes again, in another order each
 *       time around; the seed decides the orders.
 *   <li><b>Augmentation:</b> training images are shifted, black coming in, and mirrored, a function
 *       of (seed, step, index in the batch): a crop of the image padded by {@link Config#shift}.
 *   <li><b>Numbers:</b> intensities of 0 to 1, from which the mean is subtracted, divided by the
 *       deviation.
 *   <li><b>Labels:</b> where only some images have labels, half of every batch, rounded up, is
 *       drawn from these, and the label of the rest is {@link SceneBatches#UNLABELLED}.
 *   <li><b>Memory:</b> the bytes of the files, 184 MB of the published ones.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source of the images, which are not part of this library: A. Krizhevsky, "Learning Multiple
 * Layers of Features from Tiny Images", 2009.
 */
public final class Cifar implements Dataset {
  /** Height and width of an image, in pixels. */
  public static final int SIZE = CifarFile.SIZE;

  /** Most images that a batch can have. */
  public static final int MAX_BATCH = 65_536;

  private static final String OWNER = "cifar";
  private static final int VALUES = CifarFile.CHANNELS * CifarFile.PIXELS;

  /** Keys beside those of the orders, which count from 0. */
  private static final long AUGMENTATION = -1;

  private static final long UNLABELLED_ORDER = -2;

  /**
   * Which images there are, and what is made of them.
   *
   * @param task which files, and which class of an image
   * @param labelled training images that have labels, those in front; {@link SceneBatches#ALL} or
   *     fewer than there are to train
   * @param validation training images that are kept to evaluate on, those at the end, 1 or more
   * @param test images of the test file to evaluate on, those in front; 0: all
   * @param shift most pixels by which a training image is shifted down or up and right or left, 0
   *     to 32
   * @param flip whether every other training image, by chance, is mirrored
   * @param mean subtracted from intensities, for red, green and blue
   * @param deviation what they are divided by then, above 0
   */
  public record Config(
      CifarTask task,
      int labelled,
      int validation,
      int test,
      int shift,
      boolean flip,
      List<Double> mean,
      List<Double> deviation) {
    /**
     * Checks the values, and copies the lists.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and both
     */
    public Config {
      Objects.requireNonNull(task, "task");
      requireRange("labelled", labelled, 0, Integer.MAX_VALUE);
      requireRange("validation", validation, 1, Integer.MAX_VALUE);
      requireRange("test", test, 0, Integer.MAX_VALUE);
      requireRange("shift", shift, 0, SIZE);
      ColourScale scale = ColourScale.ofColours(mean, deviation);
      mean = scale.mean();
      deviation = scale.deviation();
    }

    /**
     * {@return what trainings are usually published by, but for 5,000 images to validate on: all
     * labelled, all to test, shifts of up to 4 pixels and mirrored images, colours of mean 0 and
     * deviation 1}
     *
     * @param task which files, and which class of an image
     */
    public static Config of(CifarTask task) {
      return new Config(task, SceneBatches.ALL, 5000, 0, 4, true, task.mean(), task.deviation());
    }
  }

  private static void requireRange(String part, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s: %s is %d, expected %d to %d".formatted(OWNER, part, value, least, most));
    }
  }

  /** An image by its file and its place there. */
  private record Image(CifarFile file, int index) {}

  private final List<Image> training;
  private final List<Image> test;
  private final List<String> names;
  private final Config config;
  private final ColourScale scale;
  private final long seed;

  private Cifar(
      List<Image> training, List<Image> test, List<String> names, Config config, long seed) {
    this.training = training;
    this.test = test;
    this.names = names;
    this.config = config;
    this.seed = seed;
    scale = new ColourScale(config.mean(), config.deviation());
  }

  /**
   * Reads the files of a directory.
   *
   * @param directory with the files that {@link CifarTask} names, and with those of the classes'
   *     names, if there are any; else these are "class 0" and on
   * @param config which of the images, and what is made of them
   * @return the data set, of the seed 0
   * @throws DataFileException if a file is missing or is not what it should be; says which and what
   * @throws IOException if a file cannot be read
   * @throws IllegalArgumentException if there are fewer images than asked for
   */
  public static Cifar fromDirectory(Path directory, Config config) throws IOException {
    CifarTask task = config.task();
    if (!Files.isDirectory(directory)) {
      throw new DataFileException(
          directory.toString(),
          "a directory with %s and %s".formatted(task.training.get(0), task.test),
          Files.exists(directory) ? "no directory" : "nothing of this name");
    }
    List<Image> training = new ArrayList<>();
    for (String file : task.training) {
      addAll(CifarFile.read(directory.resolve(file), task), training);
    }
    List<Image> test = new ArrayList<>();
    addAll(CifarFile.read(directory.resolve(task.test), task), test);
    requireRange("validation", config.validation(), 1, training.size() - 1);
    int rest = training.size() - config.validation();
    requireRange("labelled", config.labelled(), 0, rest - 1);
    requireRange("test", config.test(), 0, test.size());
    return new Cifar(training, test, CifarFile.names(directory, task), config, 0);
  }

  private static void addAll(CifarFile file, List<Image> images) {
    for (int i = 0; i < file.count(); i++) {
      images.add(new Image(file, i));
    }
  }

  /** {@return which images there are, and what is made of them} */
  public Config config() {
    return config;
  }

  @Override
  public Cifar withSeed(long seed) {
    return new Cifar(training, test, names, config, seed);
  }

  @Override
  public BatchSource training(int size) {
    requireRange("batch", size, 1, MAX_BATCH);
    int rest = training.size() - config.validation();
    HalfLabelled order = new HalfLabelled(rest, config.labelled());
    order.requireHalf(OWNER, size);
    int labelled = order.inBatch(size);
    return step -> {
      int[] chosen = order.indices(seed, CounterRandom.bits(seed, UNLABELLED_ORDER), step, size);
      float[] colours = new float[size * VALUES];
      long[] labels = new long[size];
      Arrays.fill(labels, SceneBatches.UNLABELLED);
      long key = CounterRandom.bits(CounterRandom.bits(seed, AUGMENTATION), step);
      for (int i = 0; i < size; i++) {
        Image image = training.get(chosen[i]);
        long own = CounterRandom.bits(key, i);
        paint(image, ImageMove.drawn(config.shift(), config.flip(), own), colours, i);
        if (i < labelled) {
          labels[i] = image.file.label(image.index);
        }
      }
      return () -> batch(colours, labels);
    };
  }

  private void paint(Image image, ImageMove move, float[] colours, int place) {
    for (int channel = 0; channel < CifarFile.CHANNELS; channel++) {
      int first = place * VALUES + channel * CifarFile.PIXELS;
      for (int at = 0; at < CifarFile.PIXELS; at++) {
        int source = move.source(SIZE, at);
        int level =
            source == ImageMove.OUTSIDE ? 0 : image.file.level(image.index, channel, source);
        colours[first + at] = scale.of(channel, level / 255f);
      }
    }
  }

  private static Batch batch(float[] colours, long[] labels) {
    return Batch.of(
        Tensor.create(colours, labels.length, CifarFile.CHANNELS, SIZE, SIZE),
        Tensor.create(labels));
  }

  @Override
  public int size(Split split) {
    return switch (split) {
      case VALIDATION -> config.validation();
      case TEST -> config.test() == 0 ? test.size() : config.test();
      case TRAIN ->
          throw new IllegalArgumentException(
              "split is train, expected validation or test: training images come by training()");
    };
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    List<Image> all =
        split == Split.TEST
            ? test
            : training.subList(training.size() - config.validation(), training.size());
    float[] colours = new float[count * VALUES];
    long[] labels = new long[count];
    for (int i = 0; i < count; i++) {
      Image image = all.get(first + i);
      paint(image, ImageMove.NONE, colours, i);
      labels[i] = image.file.label(image.index);
    }
    return batch(colours, labels);
  }

  @Override
  public Tensor intensities(Tensor images) {
    return scale.intensities(images);
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.of(config.task().classes());
  }

  @Override
  public List<String> classNames() {
    return names;
  }
}
