package org.structkd.data;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * Stereo pairs, from which depth is learned without being told.
 *
 * <pre>{@code
 * input   images     f32 [B, C, H, W]   left views, black 0 and white 1
 *         sources.0  f32 [B, C, H, W]   right views
 *         cameras    f32 [B, 3, 3]      in units of pixels
 *         poses.0    f32 [B, 4, 4]      from the left camera's coordinates to the right one's
 * target  depth      f32 [B, 1, H, W]   in metres, NaN where it is not known; evaluations alone
 * }</pre>
 *
 * <p>Examples are strips of all columns: the right strip then holds whatever its view has of what
 * the left one sees, at any disparity. At the left edge, as many columns as the disparity have no
 * counterpart in the right view.
 *
 * <ul>
 *   <li><b>Training:</b> which pair, the strip's first row, and whether it is seen in a mirror
 *       (which makes a left view of the right one), are functions of (seed, step, index in the
 *       batch).
 *   <li><b>Evaluation:</b> whole pairs, always the same.
 *   <li><b>Splits:</b> no pixel, and no photograph of a garment, serves two.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Where the principal points of the views differ, the pose moves points sideways in proportion
 * to their depth, which moves their pixels by that difference: no rotation, but right for any
 * camera.
 */
public final class StereoDataset implements Dataset {
  /** Input: the other view of each example. */
  public static final String SOURCE = "sources.0";

  /** Input: the matrix of each camera. */
  public static final String CAMERAS = "cameras";

  /** Input: where the other camera is. */
  public static final String POSE = "poses.0";

  /** Target: depth in metres, NaN where it is not known. */
  public static final String DEPTH = "depth";

  /** Heights and widths of examples are multiples of this. */
  public static final int STRIDE = 16;

  private final StereoScenes scenes;
  private final Config config;
  private final long seed;

  /**
   * What is made of the pairs.
   *
   * @param scale by which photographs are reduced: 1, 2 or 4
   * @param height rows of training examples, a multiple of {@link #STRIDE}; 0: whole pairs
   * @param mirrored whether half of the training examples are seen in a mirror
   * @param validation most pairs of the validation split, 1 or more
   * @param test most pairs of the test split, 1 or more
   */
  public record Config(int scale, int height, boolean mirrored, int validation, int test) {
    /** Checks the numbers. */
    public Config {
      if (scale != 1 && scale != 2 && scale != 4) {
        throw new IllegalArgumentException("scale is " + scale + ", expected 1, 2 or 4");
      }
      if (height < 0 || height % STRIDE != 0) {
        throw new IllegalArgumentException(
            "height is %s, expected a multiple of %s, or 0 for all rows".formatted(height, STRIDE));
      }
      if (validation < 1 || test < 1) {
        throw new IllegalArgumentException(
            "validation is %s and test is %s, expected 1 or more".formatted(validation, test));
      }
    }
  }

  private StereoDataset(StereoScenes scenes, Config config, long seed) {
    this.scenes = scenes;
    this.config = config;
    this.seed = seed;
  }

  /**
   * Reads pairs, or gets ready to make them.
   *
   * @param source of the pairs
   * @param config what is made of them
   * @return the examples
   * @throws IllegalArgumentException if training examples would be higher than pairs are
   * @throws IOException if the pair is missing or cannot be read; says what fetches it
   */
  public static StereoDataset of(StereoSource source, Config config) throws IOException {
    StereoScenes scenes = source.scenes(config.scale);
    if (config.height > scenes.height()) {
      throw new IllegalArgumentException(
          "height is %s, expected at most %s, the rows of a block of %s"
              .formatted(config.height, scenes.height(), source.name().toLowerCase(Locale.ROOT)));
    }
    return new StereoDataset(scenes, config, 0);
  }

  /** {@return channels of the views: 1 for grey, 3 for colours} */
  public int channels() {
    return scenes.channels();
  }

  @Override
  public StereoDataset withSeed(long seed) {
    return new StereoDataset(scenes, config, seed);
  }

  @Override
  public BatchSource training(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("batch is " + size + ", expected 1 or more");
    }
    return step -> {
      List<StereoPair> pairs = new ArrayList<>(size);
      for (int i = 0; i < size; i++) {
        pairs.add(example(CounterRandom.bits(CounterRandom.bits(seed, step), i)));
      }
      return () -> new Batch(inputs(pairs), Map.of());
    };
  }

  private StereoPair example(long key) {
    StereoPair pair = scenes.training(CounterRandom.bits(key, 0));
    int height = config.height == 0 ? pair.height() : config.height;
    int top = CounterRandom.below(pair.height() - height + 1, key, 1);
    StereoPair strip = height == pair.height() ? pair : pair.rows(top, height);
    return config.mirrored && CounterRandom.below(2, key, 2) == 1 ? strip.mirrored() : strip;
  }

  @Override
  public int size(Split split) {
    if (split == Split.TRAIN) {
      throw new IllegalArgumentException("split is train, expected validation or test");
    }
    int most = split == Split.VALIDATION ? config.validation : config.test;
    return Math.min(most, scenes.count(split));
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    List<StereoPair> pairs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      pairs.add(scenes.example(split, first + i));
    }
    int plane = pairs.get(0).depth().length;
    float[] depths = new float[count * plane];
    for (int i = 0; i < count; i++) {
      System.arraycopy(pairs.get(i).depth(), 0, depths, i * plane, plane);
    }
    StereoPair one = pairs.get(0);
    return new Batch(
        inputs(pairs), Map.of(DEPTH, Tensor.create(depths, count, 1, one.height(), one.width())));
  }

  private static Map<String, Tensor> inputs(List<StereoPair> pairs) {
    StereoPair one = pairs.get(0);
    int count = pairs.size();
    int size = one.left().length;
    float[] lefts = new float[count * size];
    float[] rights = new float[count * size];
    float[] cameras = new float[count * 9];
    float[] poses = new float[count * 16];
    for (int i = 0; i < count; i++) {
      StereoPair pair = pairs.get(i);
      System.arraycopy(pair.left(), 0, lefts, i * size, size);
      System.arraycopy(pair.right(), 0, rights, i * size, size);
      StereoPair.Camera camera = pair.camera();
      float focal = (float) camera.focal();
      float shear = (float) (camera.offset() / camera.focal());
      float step = (float) -camera.baseline();
      float[] matrix = {focal, 0, one.width() / 2f, 0, focal, one.height() / 2f, 0, 0, 1};
      float[] pose = {1, 0, shear, step, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
      System.arraycopy(matrix, 0, cameras, 9 * i, 9);
      System.arraycopy(pose, 0, poses, 16 * i, 16);
    }
    long[] shape = {count, one.channels(), one.height(), one.width()};
    return Map.of(
        Batch.IMAGES,
        Tensor.create(lefts, shape),
        SOURCE,
        Tensor.create(rights, shape),
        CAMERAS,
        Tensor.create(cameras, count, 3, 3),
        POSE,
        Tensor.create(poses, count, 4, 4));
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.empty();
  }
}
