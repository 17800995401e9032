package org.structkd.data;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * Pictures in low resolution, and as they are: what super-resolution learns.
 *
 * <pre>{@code
 * input   images           f32 [B, C, P / scale, P / scale]
 * target  high_resolution  f32 [B, C, P, P]                  black 0, white 1
 * }</pre>
 *
 * <p>The low resolution is made of whole pictures by {@link Bicubic}, rounded to the 256 levels of
 * a file; of both the same place is cut.
 *
 * <ul>
 *   <li><b>Training:</b> each picture comes once before any comes again. The place that is cut, and
 *       one of the eight ways in which a square can be turned and flipped, are functions of (seed,
 *       step, index in the batch).
 *   <li><b>Evaluation:</b> pictures are cut into tiles, P = 28 of garments and 24 of faces (the
 *       whole picture) and 96 of photos, which do not overlap; what is left over at the right and
 *       the bottom is not used.
 *   <li><b>Splits:</b> no picture serves two.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 */
public final class SuperResolutionDataset implements Dataset {
  /** Target: the picture as it is, f32 [B, C, P, P]. */
  public static final String HIGH_RESOLUTION = "high_resolution";

  /** Key of the places and turns, apart from that of the order. */
  private static final long CUTS = -1;

  private static final int TURNS = 8;

  private final PictureSource source;
  private final Config config;
  private final long seed;
  private final Map<Split, List<Pair>> pairs;
  private final Map<Split, List<Tile>> tiles;

  /**
   * What is cut out of the pictures.
   *
   * @param scale how many times larger answers are: 2 or 4
   * @param patch height and width of training examples in high resolution, a multiple of the scale
   * @param turned whether training examples are turned and flipped
   * @param validation most tiles of the validation split, 1 or more
   * @param test most tiles of the test split, 1 or more
   */
  public record Config(int scale, int patch, boolean turned, int validation, int test) {
    /** Checks the numbers. */
    public Config {
      if (scale != 2 && scale != 4) {
        throw new IllegalArgumentException("scale is " + scale + ", expected 2 or 4");
      }
      if (patch < scale || patch % scale != 0) {
        throw new IllegalArgumentException(
            "patch is %s, expected a multiple of %s, by which it is reduced"
                .formatted(patch, scale));
      }
      if (validation < 1 || test < 1) {
        throw new IllegalArgumentException(
            "validation is %s and test is %s, expected 1 or more".formatted(validation, test));
      }
    }
  }

  /** A picture as it is, and in low resolution. */
  private record Pair(Picture high, Picture low) {
    static Pair of(Picture picture, int scale) {
      Picture high = picture.trimmed(scale);
      return new Pair(high, high.resized(high.height() / scale, high.width() / scale));
    }
  }

  /** A place in a picture: row and column in high resolution, multiples of the scale. */
  private record Tile(Pair pair, int top, int left, int turn) {}

  /**
   * Reads pictures and makes their low resolution.
   *
   * @param source of the pictures
   * @param config what is cut out of them
   * @return the examples
   * @throws IllegalArgumentException if a picture is smaller than a patch
   * @throws IOException if pictures are missing or cannot be read; says what fetches them
   */
  public static SuperResolutionDataset of(PictureSource source, Config config) throws IOException {
    Map<Split, List<Pair>> pairs = new EnumMap<>(Split.class);
    source
        .pictures()
        .forEach(
            (split, pictures) ->
                pairs.put(
                    split,
                    pictures.stream().map(picture -> Pair.of(picture, config.scale)).toList()));
    for (Pair pair : pairs.get(Split.TRAIN)) {
      int smaller = Math.min(pair.high.height(), pair.high.width());
      if (config.patch > smaller) {
        throw new IllegalArgumentException(
            "patch is %s, expected at most %s, the size of a picture"
                .formatted(config.patch, smaller));
      }
    }
    Map<Split, List<Tile>> tiles = new EnumMap<>(Split.class);
    tiles.put(Split.VALIDATION, tiles(pairs.get(Split.VALIDATION), source, config.validation));
    tiles.put(Split.TEST, tiles(pairs.get(Split.TEST), source, config.test));
    return new SuperResolutionDataset(source, config, 0, pairs, tiles);
  }

  private SuperResolutionDataset(
      PictureSource source,
      Config config,
      long seed,
      Map<Split, List<Pair>> pairs,
      Map<Split, List<Tile>> tiles) {
    this.source = source;
    this.config = config;
    this.seed = seed;
    this.pairs = pairs;
    this.tiles = tiles;
  }

  private static List<Tile> tiles(List<Pair> pairs, PictureSource source, int most) {
    List<Tile> tiles = new ArrayList<>();
    int size = source.tile();
    for (Pair pair : pairs) {
      for (int top = 0; top + size <= pair.high.height(); top += size) {
        for (int left = 0; left + size <= pair.high.width(); left += size) {
          tiles.add(new Tile(pair, top, left, 0));
        }
      }
    }
    return List.copyOf(tiles.subList(0, Math.min(most, tiles.size())));
  }

  /** {@return what is cut out of the pictures} */
  public Config config() {
    return config;
  }

  /** {@return channels of the pictures: 1 for grey, 3 for colours} */
  public int channels() {
    return pairs.get(Split.TEST).get(0).high.channels();
  }

  @Override
  public SuperResolutionDataset withSeed(long seed) {
    return new SuperResolutionDataset(source, config, seed, pairs, tiles);
  }

  @Override
  public BatchSource training(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("batch is " + size + ", expected 1 or more");
    }
    List<Pair> all = pairs.get(Split.TRAIN);
    return step -> {
      int[] chosen = Rounds.indices(all.size(), seed, step * size, size);
      List<Tile> cuts = new ArrayList<>(size);
      for (int i = 0; i < size; i++) {
        cuts.add(cut(all.get(chosen[i]), step, i));
      }
      return prepared(cuts, config.patch);
    };
  }

  private Tile cut(Pair pair, long step, int index) {
    long key = CounterRandom.bits(CounterRandom.bits(CounterRandom.bits(seed, CUTS), step), index);
    return new Tile(
        pair,
        place(pair.high.height(), key, 0),
        place(pair.high.width(), key, 1),
        config.turned ? CounterRandom.below(TURNS, key, 2) : 0);
  }

  /** A multiple of the scale, as a pixel of low resolution is one of its squares. */
  private int place(int size, long key, int counter) {
    return config.scale
        * CounterRandom.below((size - config.patch) / config.scale + 1, key, counter);
  }

  @Override
  public int size(Split split) {
    if (split == Split.TRAIN) {
      throw new IllegalArgumentException("split is train, expected validation or test");
    }
    return tiles.get(split).size();
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    List<Tile> all = tiles.get(split);
    return prepared(all.subList(first, first + count), source.tile()).tensors();
  }

  private BatchSource.Prepared prepared(List<Tile> cuts, int size) {
    int channels = channels();
    int lowSize = size / config.scale;
    float[] high = new float[cuts.size() * channels * size * size];
    float[] low = new float[cuts.size() * channels * lowSize * lowSize];
    for (int i = 0; i < cuts.size(); i++) {
      Tile cut = cuts.get(i);
      cut.pair.high.copySquare(cut.top, cut.left, size, cut.turn, high, i * channels * size * size);
      cut.pair.low.copySquare(
          cut.top / config.scale,
          cut.left / config.scale,
          lowSize,
          cut.turn,
          low,
          i * channels * lowSize * lowSize);
    }
    return () ->
        new Batch(
            Map.of(Batch.IMAGES, Tensor.create(low, cuts.size(), channels, lowSize, lowSize)),
            Map.of(HIGH_RESOLUTION, Tensor.create(high, cuts.size(), channels, size, size)));
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.empty();
  }
}
