package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.structkd.internal.CounterRandom;

/**
 * Scenes of clothes with the true class of every pixel, composed on demand.
 *
 * <p>A scene is 48x48 pixels of grey. Two to four garments, photographs of 28x28 from
 * Fashion-MNIST, lie at random places on black, some partly outside, later ones over earlier ones.
 * A pixel of a photograph is painted if its grey value is 16 or more of 255; where it is painted,
 * the scene gets the garment's class, elsewhere it keeps what was there. So the labels are exact:
 * no human drew them. Last, gaussian noise of standard deviation 0.1 is added to the intensities
 * (black 0, white 1), which are not clipped.
 *
 * <ul>
 *   <li><b>Determinism:</b> a scene is a function of source images, {@link SceneConfig}, split and
 *       index, equal to the last bit on every machine. There are as many scenes as indices; step t
 *       of a training with batches of B takes {@code batch(TRAIN, t * B, B)}.
 *   <li><b>Splits:</b> no source image serves two. Test images come from the test file; of the
 *       training file the last tenth is kept for validation.
 *   <li><b>Memory:</b> the source images, 785 bytes each.
 *   <li><b>Threads:</b> immutable, may be shared; any thread may compose any scene.
 * </ul>
 *
 * <p>Source of the images: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset
 * for benchmarking machine learning algorithms", 2017, arXiv 1708.07747, MIT licence.
 */
public final class FashionScenes {
  /** Height and width of a scene, in pixels. */
  public static final int SIZE = 48;

  /** Number of classes K: the background and ten garments. */
  public static final int CLASSES = 11;

  /** Most scenes that a batch can have. */
  public static final int MAX_BATCH = 65_536;

  /** Names of the classes 0 to 10. */
  public static final List<String> CLASS_NAMES =
      Stream.concat(Stream.of("background"), SourceImages.NAMES.stream()).toList();

  /** Pixels of a scene. */
  static final int PIXELS = SIZE * SIZE;

  private final SceneConfig config;
  private final FashionImages images;

  private FashionScenes(SceneConfig config, FashionImages images) {
    this.config = Objects.requireNonNull(config, "config");
    this.images = images;
  }

  /**
   * Composes from the images that come with this library: 4,500 to train, 500 to validate and 1,000
   * to test, as many of each garment. Unpacks them (5 MB) unless an earlier call did.
   *
   * @param config how to compose
   * @return the scenes
   */
  public static FashionScenes bundled(SceneConfig config) {
    return new FashionScenes(config, FashionImages.bundled());
  }

  /**
   * Composes from the bundled images as {@link #bundled(SceneConfig)} does, with {@link
   * SceneConfig#defaults()}.
   *
   * @return the scenes
   */
  public static FashionScenes bundled() {
    return bundled(SceneConfig.defaults());
  }

  /**
   * Composes from a directory with the four files of Fashion-MNIST: {@code
   * train-images-idx3-ubyte}, {@code train-labels-idx1-ubyte}, {@code t10k-images-idx3-ubyte} and
   * {@code t10k-labels-idx1-ubyte}, each with or without {@code .gz} (which goes first). Debian's
   * package dataset-fashion-mnist has them in {@code /usr/share/datasets/fashion-mnist}. Any number
   * of images will do, from 10 in the training file and 1 in the test file.
   *
   * @param directory where the files are
   * @param config how to compose
   * @return the scenes
   * @throws DataFileException if a file is missing or is not what it should be; says which and what
   * @throws IOException if a file cannot be read
   */
  public static FashionScenes fromDirectory(Path directory, SceneConfig config) throws IOException {
    return new FashionScenes(config, FashionImages.fromDirectory(directory));
  }

  /**
   * Composes from a directory as {@link #fromDirectory(Path, SceneConfig)} does, with {@link
   * SceneConfig#defaults()}.
   *
   * @param directory where the files are
   * @return the scenes
   * @throws DataFileException if a file is missing or is not what it should be; says which and what
   * @throws IOException if a file cannot be read
   */
  public static FashionScenes fromDirectory(Path directory) throws IOException {
    return fromDirectory(directory, SceneConfig.defaults());
  }

  /** {@return how scenes are composed} */
  public SceneConfig config() {
    return config;
  }

  /**
   * {@return the same source images, shared, with other settings}
   *
   * @param config how to compose
   */
  public FashionScenes withConfig(SceneConfig config) {
    return new FashionScenes(config, images);
  }

  /**
   * {@return how many photographs of garments a split draws from, 1 or more} A natural number of
   * scenes to evaluate on.
   *
   * @param split the split
   */
  public int sourceImages(Split split) {
    return sources(split).count();
  }

  SourceImages sources(Split split) {
    return images.of(split);
  }

  ScenePainter painter(Split split) {
    return painter(split, SIZE);
  }

  ScenePainter painter(Split split, int size) {
    return new ScenePainter(sources(split), config, size);
  }

  long key(Split split, long index) {
    return CounterRandom.bits(CounterRandom.bits(config.seed(), split.stream), index);
  }

  /**
   * Composes consecutive scenes.
   *
   * @param split where the garments come from
   * @param firstIndex index of the first scene, 0 or greater
   * @param count number of scenes, 1 to {@link #MAX_BATCH}
   * @return the scenes {@code firstIndex} to {@code firstIndex + count - 1}
   * @throws IllegalArgumentException if a number is out of its range; names it and both
   */
  public SceneBatch batch(Split split, long firstIndex, int count) {
    requireCount(count);
    requireIndex("firstIndex", firstIndex);
    if (firstIndex > Long.MAX_VALUE - count) {
      throw new IllegalArgumentException(
          "firstIndex + count must be less than 2^63 but firstIndex is " + firstIndex);
    }
    long[] indices = new long[count];
    for (int b = 0; b < count; b++) {
      indices[b] = firstIndex + b;
    }
    return batch(split, indices);
  }

  /**
   * Composes scenes of any indices.
   *
   * @param split where the garments come from
   * @param indices index of each scene, 0 or greater, in any order; 1 to {@link #MAX_BATCH} of them
   * @return the scenes in this order
   * @throws IllegalArgumentException if a number is out of its range; names it and both
   */
  public SceneBatch batch(Split split, long[] indices) {
    Objects.requireNonNull(split, "split");
    requireCount(indices.length);
    for (int b = 0; b < indices.length; b++) {
      requireIndex("indices[" + b + "]", indices[b]);
    }
    float[] images = new float[indices.length * PIXELS];
    byte[] labels = new byte[indices.length * PIXELS];
    ScenePainter painter = painter(split);
    for (int b = 0; b < indices.length; b++) {
      painter.paint(key(split, indices[b]), images, labels, b * PIXELS);
    }
    return new SceneBatch(indices.length, images, labels);
  }

  private static void requireCount(int count) {
    if (count < 1 || count > MAX_BATCH) {
      throw new IllegalArgumentException(
          "number of scenes must be 1 to " + MAX_BATCH + " but is " + count);
    }
  }

  private static void requireIndex(String argument, long index) {
    if (index < 0) {
      throw new IllegalArgumentException(argument + " must be 0 or greater but is " + index);
    }
  }
}
