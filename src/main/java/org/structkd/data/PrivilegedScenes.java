package org.structkd.data;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;

/**
 * Scenes of clothes that a teacher sees without noise and at twice the resolution.
 *
 * <pre>{@code
 * input   images  f32 [B, 1, 48, 48]   means of 2 x 2 pixels, with noise: what a student sees
 * input   clean   f32 [B, 1, 96, 96]   the scene as it is composed
 * target  labels  i64 [B, 48, 48]      the class that most of 2 x 2 pixels have
 * }</pre>
 *
 * <p>A scene is composed as those of {@link FashionScenes} are, on four times the area: garments
 * have the 28 x 28 pixels of their photographs in {@code clean}, and half of that in {@code
 * images}. Where several classes have equally many pixels, the label is that of the first of them
 * in reading order.
 *
 * <p>Splits, order and labels of training scenes are those of {@link FashionScenesDataset}.
 * Immutable, may be shared.
 *
 * @param scenes where garments come from, how many lie in a scene of 96 x 96, and the noise of
 *     {@code images}
 * @param labelled training scenes that have labels, or {@link SceneBatches#ALL}
 * @param validation scenes of the validation split to evaluate on, 1 or more
 * @param test scenes of the test split to evaluate on, 1 or more
 */
public record PrivilegedScenes(FashionScenes scenes, int labelled, int validation, int test)
    implements Dataset {
  /** The input without noise and at twice the resolution. */
  public static final String CLEAN = "clean";

  private static final int SIZE = FashionScenes.SIZE;
  private static final int CLEAN_SIZE = 2 * SIZE;
  private static final int CLEAN_PIXELS = CLEAN_SIZE * CLEAN_SIZE;

  /** Places of 2 x 2 pixels, from the upper left one. */
  private static final int[] FOUR = {0, 1, CLEAN_SIZE, CLEAN_SIZE + 1};

  /** Checks the numbers. */
  public PrivilegedScenes {
    new FashionScenesDataset(scenes, labelled, validation, test);
  }

  /**
   * {@return how scenes are composed: as {@link SceneConfig#defaults} says, on four times the area,
   * so that 8 to 16 garments lie in one}
   *
   * @param noise standard deviation of what a student sees, 0 to 1
   */
  public static SceneConfig config(float noise) {
    SceneConfig usual = SceneConfig.defaults();
    return usual.withGarments(4 * usual.minGarments(), 4 * usual.maxGarments()).withNoise(noise);
  }

  private FashionScenesDataset usual() {
    return new FashionScenesDataset(scenes, labelled, validation, test);
  }

  @Override
  public PrivilegedScenes withSeed(long seed) {
    return new PrivilegedScenes(usual().withSeed(seed).scenes(), labelled, validation, test);
  }

  @Override
  public BatchSource training(int size) {
    SceneBatches order = usual().training(size);
    int marked = labelled == SceneBatches.ALL ? size : HalfLabelled.half(size);
    return step -> prepared(Split.TRAIN, order.indices(step), marked);
  }

  @Override
  public int size(Split split) {
    return usual().size(split);
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    long[] indices = new long[count];
    Arrays.setAll(indices, i -> first + i);
    return prepared(split, indices, count).tensors();
  }

  /** Scenes of these indices, of which the first have labels. */
  private BatchSource.Prepared prepared(Split split, long[] indices, int marked) {
    int count = indices.length;
    float[] clean = new float[count * CLEAN_PIXELS];
    float[] images = new float[count * SIZE * SIZE];
    long[] labels = new long[count * SIZE * SIZE];
    Arrays.fill(labels, SceneBatches.UNLABELLED);
    byte[] classes = new byte[CLEAN_PIXELS];
    ScenePainter painter = scenes.painter(split, CLEAN_SIZE);
    for (int b = 0; b < count; b++) {
      long key = scenes.key(split, indices[b]);
      Arrays.fill(classes, (byte) 0);
      // Painted into arrays of one scene: its labels are needed at half their size alone.
      float[] scene = new float[CLEAN_PIXELS];
      painter.compose(key, scene, classes, 0);
      System.arraycopy(scene, 0, clean, b * CLEAN_PIXELS, CLEAN_PIXELS);
      for (int at = 0; at < SIZE * SIZE; at++) {
        int from = 2 * (at / SIZE) * CLEAN_SIZE + 2 * (at % SIZE);
        images[b * SIZE * SIZE + at] = mean(scene, from);
        if (b < marked) {
          labels[b * SIZE * SIZE + at] = most(classes, from);
        }
      }
      painter.addNoise(key, images, b * SIZE * SIZE, SIZE * SIZE);
    }
    return () ->
        new Batch(
            Map.of(
                Batch.IMAGES,
                Tensor.create(images, count, 1, SIZE, SIZE),
                CLEAN,
                Tensor.create(clean, count, 1, CLEAN_SIZE, CLEAN_SIZE)),
            Map.of(Batch.LABELS, Tensor.create(labels, count, SIZE, SIZE)));
  }

  private static float mean(float[] scene, int from) {
    float sum = 0;
    for (int step : FOUR) {
      sum += scene[from + step];
    }
    return sum / FOUR.length;
  }

  private static byte most(byte[] classes, int from) {
    byte most = 0;
    int best = 0;
    for (int step : FOUR) {
      int equal = 0;
      for (int other : FOUR) {
        equal += classes[from + step] == classes[from + other] ? 1 : 0;
      }
      if (equal > best) { // of equally many the first stays
        best = equal;
        most = classes[from + step];
      }
    }
    return most;
  }

  @Override
  public OptionalInt classes() {
    return usual().classes();
  }

  @Override
  public List<String> classNames() {
    return usual().classNames();
  }
}
