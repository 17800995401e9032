package org.structkd.data;

import java.util.ArrayList;
import java.util.List;
import org.structkd.internal.CounterRandom;

/**
 * Made stereo scenes, whose disparity is known exactly: a room with garments on its floor.
 *
 * <pre>{@code
 * disparity of the room in row y    max(wall, (y - 20) baseline / (height of the camera))
 * of a garment                      d, between the wall's and 11; its feet are where the floor has it
 * its size in pixels                d S / baseline, S = 0.8 m +- 15 %
 * }</pre>
 *
 * <p>So depth can be told from one view: by size, by where things stand, by the grain of floor and
 * wall, and by what hides what. All surfaces are functions of the left view's coordinates, of which
 * the right view shows x + d; both are means of four points in a pixel, and the truth is that of
 * the pixel's middle. Garments come from the split's photographs of Fashion-MNIST. A scene is a
 * function of its key; immutable.
 */
final class MadeStereo implements StereoScenes {
  static final int HEIGHT = 64;
  static final int WIDTH = 96;

  /** An angle of view of 53 degrees, and cameras 20 cm apart. */
  static final StereoPair.Camera CAMERA = new StereoPair.Camera(96, 0.2, 0);

  /** Row of what is infinitely far away. */
  private static final double HORIZON = 20;

  private static final double CAMERA_HEIGHT = 0.7;
  private static final double SLOPE = CAMERA.baseline() / CAMERA_HEIGHT;

  /** Disparities of the wall, 9 to 5 m away. */
  private static final double LEAST_WALL = 2.1;

  private static final double MOST_WALL = 3.8;

  /** A garment 1.75 m away: its feet are within the picture. */
  private static final double MOST = 11;

  private static final double SIZE = 0.8;
  private static final int LEAST_GARMENTS = 2;
  private static final int MORE_GARMENTS = 4;

  /** Metres of a cell of the room's grain: three pixels of the wall and more. */
  private static final double CELL = 0.25;

  /** Key of the scenes to evaluate on. */
  private static final long EVALUATED = 20_221_112;

  private final FashionScenes images;

  MadeStereo(FashionScenes images) {
    this.images = images;
  }

  @Override
  public int height() {
    return HEIGHT;
  }

  @Override
  public int channels() {
    return 1;
  }

  @Override
  public int count(Split split) {
    return Integer.MAX_VALUE;
  }

  @Override
  public StereoPair training(long key) {
    return new Scene(images.sources(Split.TRAIN), key).pair();
  }

  @Override
  public StereoPair example(Split split, int index) {
    long key = CounterRandom.bits(CounterRandom.bits(EVALUATED, split.stream), index);
    return new Scene(images.sources(split), key).pair();
  }

  /** A number between 0 and 1. */
  private static double uniform(long key, long counter) {
    return (CounterRandom.bits(key, counter) >>> 11) * 0x1p-53;
  }

  /** A garment: where it is in the left view, and how bright. */
  private record Standing(
      SourceImages sources,
      int image,
      double disparity,
      double left,
      double top,
      double size,
      double tone) {
    private static final int LAST = SourceImages.SIZE - 1;

    /** Grey value at a place of the left view, 0 to 255, between pixels by bilinear means. */
    double grey(double x, double y) {
      double u = (x - left) / size * LAST;
      double v = (y - top) / size * LAST;
      if (!(u >= 0 && u <= LAST && v >= 0 && v <= LAST)) {
        return 0;
      }
      int column = Math.min((int) u, LAST - 1);
      int row = Math.min((int) v, LAST - 1);
      double a = u - column;
      double b = v - row;
      return (1 - b)
              * ((1 - a) * sources.pixel(image, row, column)
                  + a * sources.pixel(image, row, column + 1))
          + b
              * ((1 - a) * sources.pixel(image, row + 1, column)
                  + a * sources.pixel(image, row + 1, column + 1));
    }
  }

  /** One scene. */
  private static final class Scene {
    private final long grain;
    private final double wall;
    private final List<Standing> garments = new ArrayList<>();

    Scene(SourceImages sources, long key) {
      grain = CounterRandom.bits(key, 0);
      wall = LEAST_WALL + (MOST_WALL - LEAST_WALL) * uniform(key, 1);
      int count = LEAST_GARMENTS + CounterRandom.below(MORE_GARMENTS, key, 2);
      for (int i = 0; i < count; i++) {
        garments.add(standing(sources, CounterRandom.bits(key, 3 + i)));
      }
      garments.sort((a, b) -> Double.compare(b.disparity, a.disparity)); // the nearest first
    }

    private Standing standing(SourceImages sources, long key) {
      double disparity = wall + (MOST - wall) * uniform(key, 0);
      double size = disparity * SIZE * (0.85 + 0.3 * uniform(key, 1)) / CAMERA.baseline();
      double feet = HORIZON + disparity / SLOPE;
      double middle = WIDTH * uniform(key, 2);
      return new Standing(
          sources,
          CounterRandom.below(sources.count(), key, 3),
          disparity,
          middle - size / 2,
          feet - size,
          size,
          0.5 + 0.5 * uniform(key, 4));
    }

    StereoPair pair() {
      float[] depth = new float[HEIGHT * WIDTH];
      for (int at = 0; at < depth.length; at++) {
        depth[at] = (float) CAMERA.depth(disparity(at % WIDTH, at / WIDTH));
      }
      return new StereoPair(1, HEIGHT, WIDTH, view(0), view(1), depth, CAMERA);
    }

    private double room(double y) {
      return Math.max(wall, (y - HORIZON) * SLOPE);
    }

    private double disparity(double x, double y) {
      for (Standing garment : garments) {
        if (garment.grey(x, y) >= ScenePainter.PAINT_THRESHOLD) {
          return garment.disparity;
        }
      }
      return room(y);
    }

    /**
     * A view.
     *
     * @param side 0 for the left one, 1 for the right one
     */
    private float[] view(int side) {
      float[] view = new float[HEIGHT * WIDTH];
      for (int at = 0; at < view.length; at++) {
        double sum = 0;
        for (int point = 0; point < 4; point++) {
          double x = at % WIDTH + (point % 2 - 0.5) / 2;
          double y = at / WIDTH + (point / 2 - 0.5) / 2;
          sum += shade(x, y, side);
        }
        view[at] = (float) (sum / 4);
      }
      return view;
    }

    private double shade(double x, double y, int side) {
      for (Standing garment : garments) {
        double grey = garment.grey(x + side * garment.disparity, y);
        if (grey >= ScenePainter.PAINT_THRESHOLD) {
          return garment.tone * (0.1 + 0.9 * grey / 255);
        }
      }
      double disparity = room(y);
      double metres = CAMERA.baseline() / disparity; // of a pixel at this depth
      double across = (x + side * disparity - WIDTH / 2.0) * metres / CELL;
      return disparity > wall
          ? 0.2 + 0.3 * grain(across, CAMERA.depth(disparity) / CELL, 0)
          : 0.5 + 0.4 * grain(across, (y - HORIZON) * metres / CELL, 1);
    }

    /** Random numbers at whole places, between them bilinear, from 0 to 1. */
    private double grain(double u, double v, int surface) {
      double column = Math.floor(u);
      double row = Math.floor(v);
      double a = u - column;
      double b = v - row;
      return (1 - b) * ((1 - a) * at(column, row, surface) + a * at(column + 1, row, surface))
          + b * ((1 - a) * at(column, row + 1, surface) + a * at(column + 1, row + 1, surface));
    }

    private double at(double column, double row, int surface) {
      return uniform(CounterRandom.bits(grain + surface, (long) row), (long) column);
    }
  }
}
