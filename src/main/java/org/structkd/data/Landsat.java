package org.structkd.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * A Landsat 7 scene of 349 x 352 pixels around Olinda, Brazil, with the class of every pixel, for
 * students that see less of it than their teacher.
 *
 * <pre>{@code
 * input   images  f32 [B, C, S, S]   the bands that a student sees, such as red, green and blue
 * input   bands   f32 [B, 7, S, S]   all of LandsatBand: intensities 0 to 1, elevation in 100 m
 * target  labels  i64 [B, S, S]      0 water, 1 vegetation, 2 built-up, 3 other
 * }</pre>
 *
 * <ul>
 *   <li><b>Labels</b> are derived, no human drew them: thresholds of the indices NDWI, NDVI and
 *       NDBI, which read near and short-wave infrared. So they are exact for who sees these bands,
 *       and red, green and blue only hint at them.
 *   <li><b>Elevation</b> comes from a file of its own with pixels of 90 m, bilinear at the middles
 *       of the scene's pixels of 28.5 m.
 *   <li><b>Splits:</b> the scene is cut into blocks, what is left over at the right and the bottom
 *       is not used. Along a row of blocks, of five neighbours one is for tests and one to
 *       validate, two further on in the next row. No pixel is in two splits; blocks of two touch,
 *       so that nearby ground is in both.
 *   <li><b>Training:</b> each block comes once before any comes again. The crop within it, and one
 *       of the eight ways in which a square can be turned and flipped, are functions of (seed,
 *       step, index in the batch). S is the crop.
 *   <li><b>Evaluation:</b> whole blocks as they are; S is the block.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: the R package stars 0.6-0, Apache License 2.0 (see NOTICE beside the files).
 */
public final class Landsat implements Dataset {
  /** The input that a teacher may read: all of {@link LandsatBand}. */
  public static final String BANDS = "bands";

  /** Names of the classes 0 to 3. */
  public static final List<String> CLASS_NAMES =
      List.of("water", "vegetation", "built-up", "other");

  /** Largest block: two rows and two columns of them, the fewest in which every split has one. */
  public static final int MAX_BLOCK = 174;

  private static final String OWNER = "landsat";

  /** Keys beside those of the orders, which count from 0. */
  private static final long CUTS = -1;

  private static final long LABELLED = -2;
  private static final long UNLABELLED_ORDER = -3;

  private static final int TURNS = 8;

  /**
   * What is cut out of the scene.
   *
   * @param images bands that {@code images} has, in this order, each at most once
   * @param block height and width of the blocks, {@code crop} to {@link #MAX_BLOCK}
   * @param crop height and width of training examples, 1 or more
   * @param labelled training blocks that have labels, drawn by the seed; half of every batch,
   *     rounded up, is of these, and labels of the rest are {@link SceneBatches#UNLABELLED}. {@link
   *     SceneBatches#ALL}: all have
   * @param turned whether training examples are turned and flipped
   */
  public record Config(
      List<LandsatBand> images, int block, int crop, int labelled, boolean turned) {
    /**
     * Checks the values, and copies the list.
     *
     * @throws IllegalArgumentException if one is out of its range; names it and both
     */
    public Config {
      images = List.copyOf(images);
      if (images.isEmpty() || EnumSet.copyOf(images).size() < images.size()) {
        throw new IllegalArgumentException(
            "%s: images is %s, expected one band or more, each once".formatted(OWNER, images));
      }
      requireRange("crop", crop, 1, MAX_BLOCK);
      if (block < crop || block > MAX_BLOCK) {
        throw new IllegalArgumentException(
            "%s: block is %d, expected %d, the crop, to %d, of which every split has one"
                .formatted(OWNER, block, crop, MAX_BLOCK));
      }
      requireRange("labelled", labelled, 0, Integer.MAX_VALUE);
    }

    /** {@return red, green and blue; blocks of 48, crops of 32, turned; all have labels} */
    public static Config defaults() {
      return new Config(
          List.of(LandsatBand.RED, LandsatBand.GREEN, LandsatBand.BLUE),
          48,
          32,
          SceneBatches.ALL,
          true);
    }
  }

  private static void requireRange(String part, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s: %s is %d, expected %d to %d".formatted(OWNER, part, value, least, most));
    }
  }

  /** A square of the scene. */
  private record Cut(int top, int left, int turn, boolean isLabelled) {}

  private final LandsatScene scene;
  private final Config config;
  private final long seed;
  private final Map<Split, List<Cut>> blocks = new EnumMap<>(Split.class);

  private Landsat(LandsatScene scene, Config config, long seed) {
    this.scene = scene;
    this.config = config;
    this.seed = seed;
    for (Split split : Split.values()) {
      blocks.put(split, new ArrayList<>());
    }
    int size = config.block();
    for (int row = 0; (row + 1) * size <= scene.height(); row++) {
      for (int column = 0; (column + 1) * size <= scene.width(); column++) {
        Cut block = new Cut(row * size, column * size, 0, true);
        blocks.get(splitOf(row, column)).add(block);
      }
    }
    requireRange("labelled", config.labelled(), 0, blocks.get(Split.TRAIN).size() - 1);
  }

  /**
   * The scene that comes with this library. Reads it at each call (5 MB); keep the result.
   *
   * @param config what is cut out of it
   * @return the data set, of the seed 0
   * @throws IllegalArgumentException if all training blocks or more shall be labelled
   */
  public static Landsat bundled(Config config) {
    return new Landsat(LandsatScene.bundled(), config, 0);
  }

  /** Which split a block is of, by its row and column among blocks. */
  static Split splitOf(int row, int column) {
    return switch ((column + 2 * row) % 5) {
      case 0 -> Split.TEST;
      case 1 -> Split.VALIDATION;
      default -> Split.TRAIN;
    };
  }

  /** {@return what is cut out of the scene} */
  public Config config() {
    return config;
  }

  @Override
  public Landsat withSeed(long seed) {
    return new Landsat(scene, config, seed);
  }

  @Override
  public BatchSource training(int size) {
    requireRange("batch", size, 1, SceneBatches.MAX_LABELLED);
    List<Cut> all = blocks.get(Split.TRAIN);
    // Which blocks have labels: those in front of an order that the seed decides.
    int[] order = Rounds.indices(all.size(), key(LABELLED), 0, all.size());
    HalfLabelled drawn = new HalfLabelled(all.size(), config.labelled());
    return step -> {
      List<Cut> cuts = new ArrayList<>(size);
      for (int at : drawn.indices(seed, key(UNLABELLED_ORDER), step, size)) {
        boolean isLabelled = cuts.size() < drawn.inBatch(size);
        cuts.add(crop(all.get(order[at]), step, cuts.size(), isLabelled));
      }
      return prepared(cuts, config.crop());
    };
  }

  private long key(long purpose) {
    return CounterRandom.bits(seed, purpose);
  }

  private Cut crop(Cut block, long step, int index, boolean isLabelled) {
    long key = CounterRandom.bits(CounterRandom.bits(key(CUTS), step), index);
    int places = config.block() - config.crop() + 1;
    return new Cut(
        block.top + CounterRandom.below(places, key, 0),
        block.left + CounterRandom.below(places, key, 1),
        config.turned() ? CounterRandom.below(TURNS, key, 2) : 0,
        isLabelled);
  }

  @Override
  public int size(Split split) {
    if (split == Split.TRAIN) {
      throw new IllegalArgumentException(
          "split is train, expected validation or test: training crops come by training()");
    }
    return blocks.get(split).size();
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    return prepared(blocks.get(split).subList(first, first + count), config.block()).tensors();
  }

  private BatchSource.Prepared prepared(List<Cut> cuts, int size) {
    List<LandsatBand> all = List.of(LandsatBand.values());
    float[] images = planes(cuts, size, config.images());
    float[] bands = planes(cuts, size, all);
    long[] labels = labels(cuts, size);
    int count = cuts.size();
    return () ->
        new Batch(
            Map.of(
                Batch.IMAGES,
                Tensor.create(images, count, config.images().size(), size, size),
                BANDS,
                Tensor.create(bands, count, all.size(), size, size)),
            Map.of(Batch.LABELS, Tensor.create(labels, count, size, size)));
  }

  private float[] planes(List<Cut> cuts, int size, List<LandsatBand> bands) {
    float[] values = new float[cuts.size() * bands.size() * size * size];
    int to = 0;
    for (Cut cut : cuts) {
      for (LandsatBand band : bands) {
        for (int at = 0; at < size * size; at++) {
          values[to++] = scene.planes()[band.ordinal()][source(cut, size, at)];
        }
      }
    }
    return values;
  }

  private long[] labels(List<Cut> cuts, int size) {
    long[] labels = new long[cuts.size() * size * size];
    for (int i = 0; i < cuts.size(); i++) {
      Cut cut = cuts.get(i);
      int from = i * size * size;
      if (!cut.isLabelled) {
        Arrays.fill(labels, from, from + size * size, SceneBatches.UNLABELLED);
        continue;
      }
      for (int at = 0; at < size * size; at++) {
        labels[from + at] = scene.labels()[source(cut, size, at)];
      }
    }
    return labels;
  }

  /** Where in the scene a pixel of a cut lies. */
  private int source(Cut cut, int size, int at) {
    int place = Picture.turned(cut.turn, size, at / size, at % size);
    return (cut.top + place / size) * scene.width() + cut.left + place % size;
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
