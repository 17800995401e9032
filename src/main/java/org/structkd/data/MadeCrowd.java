package org.structkd.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.structkd.data.SocialForce.Walker;
import org.structkd.internal.CounterRandom;

/**
 * Makes scenes of {@link SocialForce}: twelve walkers on an open square cross each other, and may
 * enter a zone of four corners. A scene is a function of its split and index.
 *
 * <p>Speeds and forces are those of the publication; how many walk where, the fluctuations and the
 * zone are ours.
 */
final class MadeCrowd {
  /** People of a scene. */
  static final int WALKERS = 12;

  /** Key of the made world. */
  private static final long WORLD = 19_950_501;

  /** Half the side of the square on which walkers begin, m. */
  private static final double HALF = 6;

  /** Least distance of two walkers at the beginning, m. */
  private static final double ROOM = 1;

  /** Half the side of the square in the middle that walkers head for and zones lie in, m. */
  private static final double MIDDLE = 3;

  /** Distance to the goal, which nobody reaches, m. */
  private static final double BEYOND = 100;

  /** Seconds before the first frame, in which forces come to act. */
  private static final double BEFORE = 1;

  /** Longest move, s, a fifth of the time in which speeds change. */
  private static final double LONGEST_MOVE = 0.1;

  /** Root of the fluctuations' spectral density, m/s^1.5: it moves speeds by about 0.1 m/s. */
  private static final double FLUCTUATION = 0.2;

  private MadeCrowd() {}

  /**
   * Makes a scene.
   *
   * @param split that it serves
   * @param index of the scene in the split
   * @param frames how many
   * @param seconds between frames
   */
  static CrowdScene scene(Split split, int index, int frames, double seconds) {
    long key = CounterRandom.bits(CounterRandom.bits(WORLD, split.stream), index);
    List<Walker> walkers = walkers(key);
    Clock clock = new Clock(walkers, CounterRandom.bits(key, 3));
    clock.pass(BEFORE);
    List<Zone.Point[]> tracks = new ArrayList<>();
    for (int i = 0; i < WALKERS; i++) {
      tracks.add(new Zone.Point[frames]);
    }
    for (int frame = 0; frame < frames; frame++) {
      for (int i = 0; i < WALKERS; i++) {
        tracks.get(i)[frame] = new Zone.Point(walkers.get(i).x, walkers.get(i).y);
      }
      clock.pass(seconds);
    }
    return new CrowdScene(tracks, zone(CounterRandom.bits(key, 4)));
  }

  /** Walkers with room, on their way through the middle. */
  private static List<Walker> walkers(long key) {
    List<Walker> walkers = new ArrayList<>();
    for (int draw = 0; walkers.size() < WALKERS; draw++) {
      double x = between(-HALF, HALF, CounterRandom.bits(key, 0), 2L * draw);
      double y = between(-HALF, HALF, CounterRandom.bits(key, 0), 2L * draw + 1);
      if (walkers.stream().anyMatch(other -> SocialForce.length(other.x - x, other.y - y) < ROOM)) {
        continue;
      }
      int i = walkers.size();
      double speed =
          SocialForce.SPEED
              + SocialForce.SPEED_DEVIATION * CounterRandom.normal(CounterRandom.bits(key, 1), i);
      double angle =
          StrictMath.atan2(
              between(-MIDDLE, MIDDLE, CounterRandom.bits(key, 2), 2L * i) - y,
              between(-MIDDLE, MIDDLE, CounterRandom.bits(key, 2), 2L * i + 1) - x);
      double cosine = StrictMath.cos(angle);
      double sine = StrictMath.sin(angle);
      Walker walker =
          new Walker(
              x,
              y,
              Math.max(speed, SocialForce.SPEED_DEVIATION),
              x + BEYOND * cosine,
              y + BEYOND * sine);
      walker.vx = walker.speed * cosine;
      walker.vy = walker.speed * sine;
      walkers.add(walker);
    }
    return walkers;
  }

  /** Four corners around a place near the middle, one in each quarter of a turn. */
  private static Zone zone(long key) {
    double x = between(-MIDDLE, MIDDLE, key, 0);
    double y = between(-MIDDLE, MIDDLE, key, 1);
    Zone.Point[] corners = new Zone.Point[4];
    for (int i = 0; i < corners.length; i++) {
      double angle = (i + between(0.1, 0.9, key, 2 + i)) * Math.PI / 2;
      double radius = between(1.5, 3, key, 6 + i);
      corners[i] =
          new Zone.Point(x + radius * StrictMath.cos(angle), y + radius * StrictMath.sin(angle));
    }
    return new Zone(Arrays.asList(corners));
  }

  private static double between(double least, double most, long key, long counter) {
    return least + (most - least) * CounterRandom.uniform(key, counter);
  }

  /** Lets time pass. */
  private static final class Clock {
    private final List<Walker> walkers;
    private final long key;
    private long moves;

    Clock(List<Walker> walkers, long key) {
      this.walkers = walkers;
      this.key = key;
    }

    void pass(double seconds) {
      int count = (int) Math.ceil(seconds / LONGEST_MOVE);
      double[] fluctuation = new double[2 * WALKERS];
      for (int move = 0; move < count; move++) {
        for (int i = 0; i < fluctuation.length; i++) {
          fluctuation[i] =
              FLUCTUATION
                  / Math.sqrt(seconds / count)
                  * CounterRandom.normal(key, moves * fluctuation.length + i);
        }
        moves++;
        SocialForce.move(walkers, seconds / count, fluctuation);
      }
    }
  }
}
