package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.CounterRandom;
import org.structkd.internal.Settings;

/**
 * Windows of people's tracks: where one was seen, who was near, and where the one went.
 *
 * <pre>{@code
 * input   observed      f32 [B, O, 2]    metres from the last observed place, which is 0, 0
 * input   neighbours    f32 [B, O, 2 K]  the K people who were nearest at the last observed step: metres
 *                                        from the one's own place at each step; 0 where there are fewer
 * target  trajectories  f32 [B, P, 2]    metres from the last observed place
 * target  zones         f32 [B, C, 2]    corners of a {@link Zone}, as above; the last one again where it
 *                                        has fewer than others
 * }</pre>
 *
 * <p>All of it is turned so that x points from the first observed place to the last; who stood
 * still is not turned.
 *
 * <ul>
 *   <li><b>Made:</b> scenes of {@link MadeCrowd}, one window of each walker; no scene serves two
 *       splits.
 *   <li><b>Files:</b> all windows of a track file. One person's are for the test, the next one's
 *       for validation; their places are seen as neighbours in the windows of others.
 *   <li><b>Training:</b> each window comes once before any comes again; whether it is mirrored is a
 *       function of (seed, step, index in the batch).
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Eight observed and twelve predicted steps of 0.4 s are those of ETH and UCY: S. Pellegrini et
 * al., "You'll never walk alone", ICCV 2009; A. Alahi et al., "Social LSTM", CVPR 2016.
 */
public final class CrowdDataset implements Dataset {
  /** Input: where the person was. */
  public static final String OBSERVED = "observed";

  /** Input: where the nearest others were. */
  public static final String NEIGHBOURS = "neighbours";

  /** Target: where the person went. */
  public static final String TRAJECTORIES = "trajectories";

  /** Target: corners of the scene's zone. */
  public static final String ZONES = "zones";

  /** Frames of a second in track files: TUD-Stadtmitte, and ETH and UCY as they are released. */
  public static final int FRAME_RATE = 25;

  /** Key of the mirrors, apart from that of the order. */
  private static final long MIRRORS = -1;

  private final Config config;
  private final long seed;
  private final Map<Split, List<Window>> windows;

  /**
   * What a window is.
   *
   * @param observed steps, 2 to 1000
   * @param predicted steps, 1 to 1000: nobody is in sight for longer
   * @param seconds of a step, 0.01 to 10: below, nobody moves; above, everybody has left
   * @param neighbours how many others are seen, 1 to 64; places of people who are not there are 0
   * @param flip whether half of the training windows are mirrored by chance
   */
  public record Config(int observed, int predicted, double seconds, int neighbours, boolean flip) {
    private static final String NAME = "crowds";
    private static final double SHORTEST = 0.01;
    private static final int LONGEST = 10;
    private static final int MOST_NEIGHBOURS = 64;
    private static final int MOST_STEPS = 1000;

    /** Checks the numbers. */
    public Config {
      requireBetween("observed", observed, 2, MOST_STEPS);
      requireBetween("predicted", predicted, 1, MOST_STEPS);
      if (!(seconds >= SHORTEST && seconds <= LONGEST)) {
        throw new IllegalArgumentException(
            "%s: seconds is %s, expected %s to %s".formatted(NAME, seconds, SHORTEST, LONGEST));
      }
      requireBetween("neighbours", neighbours, 1, MOST_NEIGHBOURS);
    }

    private static void requireBetween(String part, int value, int least, int most) {
      if (value < least || value > most) {
        throw new IllegalArgumentException(
            "%s: %s is %d, expected %d to %d".formatted(NAME, part, value, least, most));
      }
    }

    int steps() {
      return observed + predicted;
    }

    /** Frames of a step in files. */
    private int every() {
      double frames = seconds * FRAME_RATE;
      long whole = Math.round(frames);
      if (whole < 1 || Math.abs(frames - whole) > 1e-6) {
        throw new IllegalArgumentException(
            "seconds is %s, expected a multiple of %s, the time between frames"
                .formatted(seconds, 1.0 / FRAME_RATE));
      }
      return (int) whole;
    }
  }

  /**
   * How many scenes there are.
   *
   * @param train scenes to learn from, 1 or more
   * @param validation scenes, 1 or more
   * @param test scenes, 1 or more
   */
  public record Scenes(int train, int validation, int test) {
    /** Checks the numbers. */
    public Scenes {
      Settings.requireCount(Config.NAME, "scenes", train, 1);
      Settings.requireCount(Config.NAME, "validation", validation, 1);
      Settings.requireCount(Config.NAME, "test", test, 1);
    }

    private int of(Split split) {
      return switch (split) {
        case TRAIN -> train;
        case VALIDATION -> validation;
        case TEST -> test;
      };
    }
  }

  /** A person in a scene, seen from a frame on. */
  private record Window(CrowdScene scene, int person, int first, int every) {
    Zone.Point at(int who, int step) {
      return Objects.requireNonNull(scene.tracks().get(who)[first + step * every]);
    }
  }

  /**
   * Makes scenes.
   *
   * @param config what a window is
   * @param scenes how many
   * @param zone of all scenes; null: each has its own
   * @return the windows
   */
  public static CrowdDataset made(Config config, Scenes scenes, @Nullable Zone zone) {
    Map<Split, List<Window>> windows = new EnumMap<>(Split.class);
    for (Split split : Split.values()) {
      List<Window> all = new ArrayList<>();
      for (int index = 0; index < scenes.of(split); index++) {
        CrowdScene made = MadeCrowd.scene(split, index, config.steps(), config.seconds);
        CrowdScene scene = zone == null ? made : new CrowdScene(made.tracks(), zone);
        for (int person = 0; person < MadeCrowd.WALKERS; person++) {
          all.add(new Window(scene, person, 0, 1));
        }
      }
      windows.put(split, all);
    }
    return new CrowdDataset(config, 0, windows);
  }

  /**
   * Reads the tracks that {@code ./structkd data tracks} fetches, or others.
   *
   * @param file lines of {@code frame person x y}, or of MOT Challenge 2015, 25 frames a second,
   *     places in metres; null: those that the command fetches
   * @param zone that people may enter; null, with them alone: one of ours
   * @param config what a window is
   * @param leftOut whose windows are for the test, of those who have any, counted from 1
   * @return the windows
   * @throws IllegalArgumentException if tracks are too short, or there is no such person
   * @throws IOException if the file is missing, cannot be read or holds something else
   */
  public static CrowdDataset of(
      @Nullable Path file, @Nullable Zone zone, Config config, int leftOut) throws IOException {
    if (file != null && zone == null) {
      throw new IllegalArgumentException(
          "a file of tracks needs a zone, such as " + "[[0, 0], [4, 0], [4, 3]]");
    }
    int every = config.every();
    CrowdScene scene =
        TrackFile.read(file == null ? Tracks.file() : file, zone == null ? Tracks.ZONE : zone);
    List<List<Window>> people = new ArrayList<>();
    for (int person = 0; person < scene.tracks().size(); person++) {
      List<Window> own = windows(scene, person, config, every);
      if (!own.isEmpty()) {
        people.add(own);
      }
    }
    if (people.size() < Split.values().length) {
      throw new IllegalArgumentException(
          ("tracks of %d people last %d steps of %s s, expected at least 3 people; the longest"
                  + " lasts %d: predict fewer steps, or make seconds less")
              .formatted(people.size(), config.steps(), config.seconds, scene.longest(every)));
    }
    if (leftOut < 1 || leftOut > people.size()) {
      throw new IllegalArgumentException(
          "left_out is %d, expected 1 to %d, the people whose tracks last %d steps of %s s"
              .formatted(leftOut, people.size(), config.steps(), config.seconds));
    }
    Map<Split, List<Window>> windows = new EnumMap<>(Split.class);
    for (int i = 0; i < people.size(); i++) {
      int after = Math.floorMod(i - (leftOut - 1), people.size());
      Split split = after == 0 ? Split.TEST : after == 1 ? Split.VALIDATION : Split.TRAIN;
      windows.computeIfAbsent(split, any -> new ArrayList<>()).addAll(people.get(i));
    }
    return new CrowdDataset(config, 0, windows);
  }

  private static List<Window> windows(CrowdScene scene, int person, Config config, int every) {
    return IntStream.range(0, scene.tracks().get(person).length)
        .filter(first -> scene.sees(person, first, config.steps(), every))
        .mapToObj(first -> new Window(scene, person, first, every))
        .toList();
  }

  private CrowdDataset(Config config, long seed, Map<Split, List<Window>> windows) {
    this.config = config;
    this.seed = seed;
    this.windows = windows;
  }

  /** {@return what a window is} */
  public Config config() {
    return config;
  }

  @Override
  public CrowdDataset withSeed(long seed) {
    return new CrowdDataset(config, seed, windows);
  }

  @Override
  public BatchSource training(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("batch is " + size + ", expected 1 or more");
    }
    List<Window> all = windows.get(Split.TRAIN);
    return step -> {
      int[] chosen = Rounds.indices(all.size(), seed, step * size, size);
      long key = CounterRandom.bits(CounterRandom.bits(seed, MIRRORS), step);
      Numbers numbers = new Numbers(size, corners(all));
      for (int i = 0; i < size; i++) {
        numbers.add(all.get(chosen[i]), config.flip && CounterRandom.below(2, key, i) == 1);
      }
      return numbers::tensors;
    };
  }

  @Override
  public int size(Split split) {
    return windows.get(split).size();
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    List<Window> all = windows.get(split);
    Numbers numbers = new Numbers(count, corners(all));
    all.subList(first, first + count).forEach(window -> numbers.add(window, false));
    return numbers.tensors();
  }

  private static int corners(List<Window> windows) {
    return windows.stream().mapToInt(one -> one.scene.zone().corners().size()).max().orElseThrow();
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.empty();
  }

  /** A batch as it is filled. */
  private final class Numbers {
    private final int count;
    private final int corners;
    private final float[] observed;
    private final float[] neighbours;
    private final float[] trajectories;
    private final float[] zones;
    private int filled;

    Numbers(int count, int corners) {
      this.count = count;
      this.corners = corners;
      observed = new float[count * config.observed * 2];
      neighbours = new float[observed.length * config.neighbours];
      trajectories = new float[count * config.predicted * 2];
      zones = new float[count * corners * 2];
    }

    /** Adds a window. */
    void add(Window window, boolean mirrored) {
      Zone.Point origin = window.at(window.person, config.observed - 1);
      Zone.Point before = window.at(window.person, 0);
      double distance = SocialForce.length(origin.x() - before.x(), origin.y() - before.y());
      double cosine = distance == 0 ? 1 : (origin.x() - before.x()) / distance;
      double sine = distance == 0 ? 0 : (origin.y() - before.y()) / distance;
      double side = mirrored ? -1 : 1;
      Writer writer =
          (to, at, x, y) -> {
            to[at] = (float) (cosine * x + sine * y);
            to[at + 1] = (float) (side * (cosine * y - sine * x));
          };
      int[] others = nearest(window);
      for (int step = 0; step < config.steps(); step++) {
        Zone.Point at = window.at(window.person, step);
        double x = at.x() - origin.x();
        double y = at.y() - origin.y();
        if (step >= config.observed) {
          int row = filled * config.predicted + step - config.observed;
          writer.write(trajectories, 2 * row, x, y);
          continue;
        }
        int row = filled * config.observed + step;
        writer.write(observed, 2 * row, x, y);
        for (int i = 0; i < others.length; i++) {
          Zone.Point other = window.at(others[i], step);
          writer.write(
              neighbours,
              2 * (row * config.neighbours + i),
              other.x() - at.x(),
              other.y() - at.y());
        }
      }
      List<Zone.Point> zone = window.scene.zone().corners();
      for (int i = 0; i < corners; i++) {
        Zone.Point corner = zone.get(Math.min(i, zone.size() - 1));
        writer.write(
            zones, 2 * (filled * corners + i), corner.x() - origin.x(), corner.y() - origin.y());
      }
      filled++;
    }

    /** Those who were seen at all observed steps, the nearest at the last of them first. */
    private int[] nearest(Window window) {
      int last = config.observed - 1;
      Zone.Point own = window.at(window.person, last);
      return IntStream.range(0, window.scene.tracks().size())
          .filter(other -> other != window.person)
          .filter(other -> window.scene.sees(other, window.first, config.observed, window.every))
          .boxed()
          .sorted(
              Comparator.comparingDouble(
                  other -> {
                    Zone.Point at = window.at(other, last);
                    return SocialForce.length(at.x() - own.x(), at.y() - own.y());
                  }))
          .limit(config.neighbours)
          .mapToInt(Integer::intValue)
          .toArray();
    }

    Batch tensors() {
      return new Batch(
          Map.of(
              OBSERVED,
              Tensor.create(observed, count, config.observed, 2),
              NEIGHBOURS,
              Tensor.create(neighbours, count, config.observed, 2L * config.neighbours)),
          Map.of(
              TRAJECTORIES,
              Tensor.create(trajectories, count, config.predicted, 2),
              ZONES,
              Tensor.create(zones, count, corners, 2)));
    }
  }

  /** Writes a turned vector. */
  @FunctionalInterface
  private interface Writer {
    void write(float[] to, int at, double x, double y);
  }
}
