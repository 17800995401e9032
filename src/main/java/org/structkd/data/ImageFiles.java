package org.structkd.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.internal.CounterRandom;

/**
 * Photographs of one's own with the class of every pixel, out of files: {@code images} f32 [B, 3,
 * H, W] with {@code labels} i64 [B, H, W], {@link LabelTable#IGNORED} where a pixel does not count.
 *
 * <ul>
 *   <li><b>Files</b> are found when the data set is made, and read when they are needed, on as many
 *       threads as the machine has processors: photographs as {@link ImageLayout} says, PNG and
 *       JPEG of any colours, turned as the camera was held; masks by palette, grey of 8 or 16 bits,
 *       or colours.
 *   <li><b>Training:</b> each photograph comes once before any comes again, changed by {@link
 *       Augmentation}; all is a function of (seed, step, index in the batch).
 *   <li><b>Evaluation:</b> whole photographs, reduced or enlarged to fit into {@link
 *       Config#evaluated}, the rest filled up with pixels that do not count.
 *   <li><b>Broken files</b> end a training with the name of the file, or are left out if asked for:
 *       the next photograph takes the place, and a warning names each once.
 *   <li><b>Threads:</b> may be shared.
 * </ul>
 */
public final class ImageFiles implements Dataset {
  private static final Logger LOG = LoggerFactory.getLogger(ImageFiles.class);

  /** Keys beside those of the orders, which count from 0. */
  private static final long AUGMENTATION = -1;

  /**
   * What is made of the files.
   *
   * @param table which classes masks mean
   * @param augmentation how photographs to train on change
   * @param evaluated height and width that photographs to evaluate on fit into
   * @param mean subtracted from intensities of 0 to 1, for red, green and blue
   * @param deviation what they are divided by then, above 0
   * @param validation most photographs of the validation split, from the front; 0: all
   * @param test most photographs of the test split; 0: all
   * @param skipBroken whether broken files to train on are left out instead of ending the training
   */
  public record Config(
      LabelTable table,
      Augmentation augmentation,
      Augmentation.Size evaluated,
      List<Double> mean,
      List<Double> deviation,
      int validation,
      int test,
      boolean skipBroken) {
    /** Mean of ImageNet's colours, which most pretrained networks expect to be subtracted. */
    public static final List<Double> IMAGENET_MEAN = List.of(0.485, 0.456, 0.406);

    /** Deviation of ImageNet's colours. */
    public static final List<Double> IMAGENET_DEVIATION = List.of(0.229, 0.224, 0.225);

    /** Checks the numbers. */
    public Config {
      ColourScale scale = ColourScale.ofColours(mean, deviation);
      mean = scale.mean();
      deviation = scale.deviation();
      if (validation < 0 || test < 0) {
        throw new IllegalArgumentException(
            "validation is %d and test is %d, expected 0 or more".formatted(validation, test));
      }
    }

    /** The colours of ImageNet; all photographs are evaluated on, a broken one ends a training. */
    public Config(LabelTable table, Augmentation augmentation, Augmentation.Size evaluated) {
      this(table, augmentation, evaluated, IMAGENET_MEAN, IMAGENET_DEVIATION, 0, 0, false);
    }

    private ColourScale scale() {
      return new ColourScale(mean, deviation);
    }
  }

  private final Map<Split, List<ImagePair>> pairs;
  private final Config config;
  private final long seed;

  /** Files that a training left out, told once each; all threads and seeds share them. */
  private final Set<String> broken;

  private ImageFiles(
      Map<Split, List<ImagePair>> pairs, Config config, long seed, Set<String> broken) {
    this.pairs = pairs;
    this.config = config;
    this.seed = seed;
    this.broken = broken;
  }

  /**
   * Finds the files; reads none of them.
   *
   * @param directory of the data set
   * @param layout how files lie in it
   * @param config what is made of them
   * @return the data set, of the seed 0
   * @throws DataFileException if a folder, a list or one file of a pair is missing, or a split has
   *     no photograph
   * @throws IOException if a folder cannot be read
   */
  public static ImageFiles of(Path directory, ImageLayout layout, Config config)
      throws IOException {
    Map<Split, List<ImagePair>> pairs = layout.pairs(directory);
    for (Split split : Split.values()) {
      if (pairs.get(split).isEmpty()) {
        throw new DataFileException(
            directory.toString(), "photographs of the split " + split, "none");
      }
    }
    return new ImageFiles(pairs, config, 0, ConcurrentHashMap.newKeySet());
  }

  /** {@return the files of a split, in their order} */
  List<ImagePair> pairs(Split split) {
    return pairs.get(split);
  }

  /** {@return what is made of the files} */
  public Config config() {
    return config;
  }

  /**
   * Reads every file of all splits, on as many threads as the machine has processors.
   *
   * @param progress is told how many photographs were read, now and then
   * @return what they hold, and which are broken
   * @throws IOException if the disk fails
   */
  public ImageFindings check(LongConsumer progress) throws IOException {
    return ImageFilesCheck.of(this, progress);
  }

  @Override
  public ImageFiles withSeed(long seed) {
    return new ImageFiles(pairs, config, seed, broken);
  }

  @Override
  public BatchSource training(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("batch is " + size + ", expected 1 or more");
    }
    return new Training(size, 0, 1);
  }

  /** Batches, of which one of several ranks reads its own files alone. */
  private final class Training implements BatchSource {
    private final int size;
    private final int first;
    private final int of;

    /**
     * A rank's share.
     *
     * @param size photographs of a whole batch
     * @param first that the rank reads
     * @param of how many share a batch: every of-th is the rank's
     */
    Training(int size, int first, int of) {
      this.size = size;
      this.first = first;
      this.of = of;
    }

    @Override
    public BatchSource share(int rank, int ranks) {
      return ranks == 1 || size / of % ranks != 0
          ? BatchSource.super.share(rank, ranks) // which says what does not fit
          : new Training(size, first + of * rank, of * ranks);
    }

    @Override
    public Prepared prepare(long step) throws IOException {
      List<ImagePair> all = pairs.get(Split.TRAIN);
      long key = CounterRandom.bits(CounterRandom.bits(seed, AUGMENTATION), step);
      int[] chosen = Rounds.indices(all.size(), seed, step * size, size);
      Example[] examples =
          decoded(
              size / of,
              i -> {
                int place = first + i * of;
                long own = CounterRandom.bits(key, place);
                return config.skipBroken
                    ? firstWhole(all, chosen[place], own)
                    : training(all.get(chosen[place]), own);
              });
      return () -> batch(examples, config.augmentation.crop());
    }
  }

  /** The next photographs take the place of broken ones. */
  private Example firstWhole(List<ImagePair> all, int index, long key) throws IOException {
    for (int i = 0; i < all.size(); i++) {
      ImagePair pair = all.get((index + i) % all.size());
      try {
        return training(pair, key);
      } catch (DataFileException e) {
        if (broken.add(e.file())) {
          LOG.warn("left out, {} so far: {}", broken.size(), e.getMessage());
        }
      }
    }
    throw new DataFileException(all.get(index).name(), "a whole file among all", "broken ones");
  }

  private Example training(ImagePair pair, long key) throws IOException {
    LabelledPicture read = LabelledPicture.read(pair, config.table);
    Augmentation augmentation = config.augmentation;
    Picture picture = read.picture();
    Example example =
        cut(read, augmentation.window(picture.height(), picture.width(), key), config.mean);
    int plane = augmentation.crop().height() * augmentation.crop().width();
    augmentation.shiftColours(example.colours, 0, plane, key);
    return normalized(example);
  }

  /** What a photograph becomes: [3, H, W] and [H, W]. */
  private record Example(float[] colours, long[] labels) {}

  private static Example cut(LabelledPicture read, Augmentation.Window window, List<Double> mean) {
    int plane = window.size().height() * window.size().width();
    Example example = new Example(new float[3 * plane], new long[plane]);
    double[] beyond = mean.stream().mapToDouble(Double::doubleValue).toArray();
    window.copyColours(read.picture(), beyond, example.colours, 0);
    window.copyClasses(
        read.classes(), read.picture().height(), read.picture().width(), example.labels, 0);
    return example;
  }

  private Example normalized(Example example) {
    config.scale().apply(example.colours);
    return example;
  }

  /** Reads one example. */
  private interface Reading {
    Example read(int index) throws IOException;
  }

  private static Example[] decoded(int count, Reading reading) throws IOException {
    try {
      return IntStream.range(0, count)
          .parallel()
          .mapToObj(
              i -> {
                try {
                  return reading.read(i);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              })
          .toArray(Example[]::new);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static Batch batch(Example[] examples, Augmentation.Size size) {
    int plane = size.height() * size.width();
    float[] colours = new float[examples.length * 3 * plane];
    long[] labels = new long[examples.length * plane];
    for (int i = 0; i < examples.length; i++) {
      System.arraycopy(examples[i].colours, 0, colours, i * 3 * plane, 3 * plane);
      System.arraycopy(examples[i].labels, 0, labels, i * plane, plane);
    }
    return Batch.of(
        Tensor.create(colours, examples.length, 3, size.height(), size.width()),
        Tensor.create(labels, examples.length, size.height(), size.width()));
  }

  @Override
  public int size(Split split) {
    int all = pairs.get(split).size();
    int most =
        switch (split) {
          case VALIDATION -> config.validation;
          case TEST -> config.test;
          case TRAIN ->
              throw new IllegalArgumentException(
                  "split is train, expected validation or test: photographs to train on come by"
                      + " training()");
        };
    return most == 0 ? all : Math.min(most, all);
  }

  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException if a file is broken, whose name its cause tells
   */
  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    List<ImagePair> all = pairs.get(split);
    Augmentation.Size size = config.evaluated;
    try {
      Example[] examples =
          decoded(
              count,
              i -> {
                LabelledPicture read = LabelledPicture.read(all.get(first + i), config.table);
                Picture picture = read.picture();
                Augmentation.Window whole =
                    Augmentation.Window.fitted(picture.height(), picture.width(), size);
                return normalized(cut(read, whole, config.mean));
              });
      return batch(examples, size);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@inheritDoc} Before they were brought to a mean and a deviation. */
  @Override
  public Tensor intensities(Tensor images) {
    return config.scale().intensities(images);
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.of(config.table.classes().size());
  }

  @Override
  public List<String> classNames() {
    return config.table.classes();
  }
}
