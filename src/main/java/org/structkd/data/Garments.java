package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * Photographs of single garments, Fashion-MNIST, as a data set for classification: {@code images}
 * f32 [B, 1, 28, 28] of grey, black 0 and white 1, with {@code labels} i64 [B], classes 0 to 9.
 *
 * <ul>
 *   <li><b>Splits:</b> those of {@link FashionScenes}: test images come from the test file, and of
 *       the training file the last tenth is kept for validation. Of the bundled images 4,500 are to
 *       train, 500 to validate and 1,000 to test, as many of each class.
 *   <li><b>Order:</b> each training image comes once before any comes again, in another order each
 *       time around; the seed decides the orders.
 *   <li><b>Augmentation:</b> training images are shifted and mirrored as {@link Config} says, a
 *       function of seed and position in the training; images to evaluate on are as they are.
 *   <li><b>Labels:</b> where only some images have labels, half of every batch, rounded up, is
 *       drawn from these, and the label of the rest is {@link SceneBatches#UNLABELLED}.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source of the images: see {@link FashionScenes}.
 */
public final class Garments implements Dataset {
  /** Height and width of an image, in pixels. */
  public static final int SIZE = SourceImages.SIZE;

  /** Most images that a batch can have. */
  public static final int MAX_BATCH = 65_536;

  /** Names of the classes 0 to 9. */
  public static final List<String> CLASS_NAMES = SourceImages.NAMES;

  private static final String OWNER = "garments";

  private static final int PIXELS = SIZE * SIZE;

  /** Keys beside those of the orders, which count from 0. */
  private static final long AUGMENTATION = -1;

  private static final long UNLABELLED_ORDER = -2;

  /**
   * Which images there are, and how those to train on change.
   *
   * @param labelled training images that have labels, those in front; {@link SceneBatches#ALL} or
   *     fewer than there are
   * @param validation images of the validation split to evaluate on, those in front, 1 or more
   * @param test images of the test split to evaluate on, those in front, 1 or more
   * @param shift most pixels by which a training image is shifted down or up and right or left, 0
   *     to 28; black comes in. A crop of the image padded by as much
   * @param flip whether every other training image, by chance, is mirrored
   * @param regions further inputs by name, each a region of {@code images} as they are after
   *     augmentation; a region called {@code images} takes their place
   */
  public record Config(
      int labelled,
      int validation,
      int test,
      int shift,
      boolean flip,
      Map<String, Region> regions) {
    /**
     * Checks the values, and copies the map.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and both
     */
    public Config {
      regions = Collections.unmodifiableMap(new LinkedHashMap<>(regions));
      requireRange("labelled", labelled, 0, Integer.MAX_VALUE);
      requireRange("validation", validation, 1, Integer.MAX_VALUE);
      requireRange("test", test, 1, Integer.MAX_VALUE);
      requireRange("shift", shift, 0, SIZE);
      regions.forEach((name, region) -> region.requireWithin(name, SIZE, SIZE));
    }

    /**
     * {@return what recipes begin with: all images have labels, 500 to validate, 1,000 to test,
     * shifts of up to 2 pixels and mirrored images, no regions}
     */
    public static Config defaults() {
      return new Config(SceneBatches.ALL, 500, 1000, 2, true, Map.of());
    }
  }

  private static void requireRange(String part, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s: %s is %d, expected %d to %d".formatted(OWNER, part, value, least, most));
    }
  }

  private final FashionImages images;
  private final Config config;
  private final long seed;

  private Garments(FashionImages images, Config config, long seed) {
    this.images = images;
    this.config = config;
    this.seed = seed;
    requireRange("labelled", config.labelled(), 0, images.train().count() - 1);
    requireRange("validation", config.validation(), 1, images.validation().count());
    requireRange("test", config.test(), 1, images.test().count());
  }

  /**
   * The images that come with this library. Unpacks them (5 MB) unless an earlier call did.
   *
   * @param config which of them, and how they change
   * @return the data set, of the seed 0
   * @throws IllegalArgumentException if there are fewer images than asked for
   */
  public static Garments bundled(Config config) {
    return new Garments(FashionImages.bundled(), config, 0);
  }

  /**
   * The images of a directory, as {@link FashionScenes#fromDirectory(Path)} reads them.
   *
   * @param directory with the four files of Fashion-MNIST, each plain or as .gz
   * @param config which of them, and how they change
   * @return the data set, of the seed 0
   * @throws DataFileException if a file is missing or is not what it should be; says which and what
   * @throws IOException if a file cannot be read
   * @throws IllegalArgumentException if there are fewer images than asked for
   */
  public static Garments fromDirectory(Path directory, Config config) throws IOException {
    return new Garments(FashionImages.fromDirectory(directory), config, 0);
  }

  /** {@return which images there are, and how those to train on change} */
  public Config config() {
    return config;
  }

  @Override
  public Garments withSeed(long seed) {
    return new Garments(images, config, seed);
  }

  @Override
  public BatchSource training(int size) {
    requireRange("batch", size, 1, MAX_BATCH);
    HalfLabelled order = new HalfLabelled(images.train().count(), config.labelled());
    order.requireHalf(OWNER, size);
    int labelled = order.inBatch(size);
    return step -> {
      int[] chosen = order.indices(seed, CounterRandom.bits(seed, UNLABELLED_ORDER), step, size);
      float[] pixels = new float[size * PIXELS];
      long key = CounterRandom.bits(seed, AUGMENTATION);
      for (int i = 0; i < size; i++) {
        long own = CounterRandom.bits(key, step * size + i);
        ImageMove move = ImageMove.drawn(config.shift(), config.flip(), own);
        paint(images.train(), chosen[i], move, pixels, i);
      }
      long[] labels = labels(images.train(), chosen);
      Arrays.fill(labels, labelled, size, SceneBatches.UNLABELLED);
      return () -> batch(pixels, labels);
    };
  }

  private static void paint(
      SourceImages from, int image, ImageMove move, float[] pixels, int place) {
    for (int at = 0; at < PIXELS; at++) {
      int source = move.source(SIZE, at);
      if (source != ImageMove.OUTSIDE) {
        pixels[place * PIXELS + at] = from.pixel(image, source / SIZE, source % SIZE) / 255f;
      }
    }
  }

  private static long[] labels(SourceImages from, int[] chosen) {
    return Arrays.stream(chosen).mapToLong(from::label).toArray();
  }

  private Batch batch(float[] pixels, long[] labels) {
    Tensor whole = Tensor.create(pixels, labels.length, 1, SIZE, SIZE);
    Map<String, Tensor> inputs = new HashMap<>(Map.of(Batch.IMAGES, whole));
    config
        .regions()
        .forEach(
            (name, region) ->
                inputs.put(
                    name,
                    whole
                        .narrow(2, region.top(), region.height())
                        .narrow(3, region.left(), region.width())
                        .contiguous()));
    return new Batch(inputs, Map.of(Batch.LABELS, Tensor.create(labels)));
  }

  @Override
  public int size(Split split) {
    return switch (split) {
      case VALIDATION -> config.validation();
      case TEST -> config.test();
      case TRAIN ->
          throw new IllegalArgumentException(
              "split is train, expected validation or test: training images come by training()");
    };
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    float[] pixels = new float[count * PIXELS];
    int[] chosen = new int[count];
    for (int i = 0; i < count; i++) {
      chosen[i] = first + i;
      paint(images.of(split), chosen[i], ImageMove.NONE, pixels, i);
    }
    return batch(pixels, labels(images.of(split), chosen));
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.of(CLASS_NAMES.size());
  }

  @Override
  public List<String> classNames() {
    return CLASS_NAMES;
  }
}
