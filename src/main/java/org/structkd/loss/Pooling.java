package org.structkd.loss;

import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.TensorArguments;

/**
 * How a feature map becomes the nodes of a loss that compares them. Windows do not overlap (stride
 * = kernel) and the last ones are clipped (ceil mode). Immutable.
 *
 * <p>A maximum sends its gradient to the first maximum in row-major order; an average of a clipped
 * window divides by the elements that the window has.
 *
 * @param kind what a window gives
 * @param size how {@code height} and {@code width} are read
 * @param height kernel rows, rows of nodes, or fraction of the map's height
 * @param width the same along the width
 */
public record Pooling(Kind kind, Size size, double height, double width) {
  /** How a window of the map becomes a node. */
  public enum Kind {
    /** Every position of the map is a node. */
    NONE,
    /** A node is the maximum of each channel. */
    MAX,
    /** A node is the mean of each channel. */
    AVERAGE
  }

  /** How a window's size is given. */
  public enum Size {
    /** The window is given in positions. */
    KERNEL,
    /** The window is a fraction of the map: kernel = floor(fraction * size), at least 1. */
    FRACTION,
    /** The number of nodes wanted at most gives the window: kernel = ceil(size / nodes). */
    NODES
  }

  /** Checks that the size is possible. */
  public Pooling {
    if (kind == null || size == null) {
      throw new IllegalArgumentException("pooling: kind is " + kind + " and size is " + size);
    }
    requireSize(size, "height", height);
    requireSize(size, "width", width);
  }

  private static void requireSize(Size size, String axis, double value) {
    if (size == Size.FRACTION) {
      if (!(value > 0 && value <= 1)) {
        throw new IllegalArgumentException(
            "pooling: fraction of the " + axis + " is " + value + ", expected above 0, up to 1");
      }
    } else if (!(value >= 1 && value <= Integer.MAX_VALUE && value == Math.rint(value))) {
      throw new IllegalArgumentException(
          "pooling: " + axis + " is " + value + ", expected a whole number of at least 1");
    }
  }

  /** Every position is a node. */
  public static Pooling none() {
    return new Pooling(Kind.NONE, Size.KERNEL, 1, 1);
  }

  /** Maximum over windows of so many positions. */
  public static Pooling max(int height, int width) {
    return new Pooling(Kind.MAX, Size.KERNEL, height, width);
  }

  /** Mean over windows of so many positions. */
  public static Pooling average(int height, int width) {
    return new Pooling(Kind.AVERAGE, Size.KERNEL, height, width);
  }

  /** Maximum over windows of this fraction of the map: 0.5 leaves 2 x 2 or 3 x 3 nodes. */
  public static Pooling maxOfMapFraction(double fraction) {
    return new Pooling(Kind.MAX, Size.FRACTION, fraction, fraction);
  }

  /** Mean over windows of this fraction of the map. */
  public static Pooling averageOfMapFraction(double fraction) {
    return new Pooling(Kind.AVERAGE, Size.FRACTION, fraction, fraction);
  }

  /** Maximum over windows such that at most height x width nodes result. */
  public static Pooling maxToNodes(int height, int width) {
    return new Pooling(Kind.MAX, Size.NODES, height, width);
  }

  /** Mean over windows such that at most height x width nodes result. */
  public static Pooling averageToNodes(int height, int width) {
    return new Pooling(Kind.AVERAGE, Size.NODES, height, width);
  }

  /** Kernel along an axis of so many positions; never longer than the axis. */
  long kernel(long positions, double value) {
    long kernel =
        switch (size) {
          case KERNEL -> (long) value;
          case FRACTION -> Math.max(1, (long) (positions * value));
          case NODES -> (positions + (long) value - 1) / (long) value;
        };
    return Math.min(kernel, positions);
  }

  /**
   * The nodes of both maps, which must be as many, in the same order.
   *
   * @throws IllegalArgumentException if they are not, or tokens are to be pooled
   */
  MapPair applyTo(MapPair maps) {
    if (kind == Kind.NONE) {
      return maps.requireSameSize();
    }
    MapView student = maps.student();
    if (student.isTokens()) {
      throw new IllegalArgumentException(
          student.loss()
              + ": "
              + TensorArguments.describe("student", student.given())
              + " are tokens, which have no height and width to pool: reshape them to a map [batch,"
              + " channels, height, width], or use Pooling.none()");
    }
    // Means that are rounded to a narrow type would be off by more than close maps differ.
    return (kind == Kind.AVERAGE ? maps.inOneType() : maps).each(this::apply);
  }

  /** The nodes of a map [B, C, H, W]; the map itself if there is nothing to pool. */
  Tensor apply(Tensor map) {
    if (kind == Kind.NONE) {
      return map;
    }
    long[] window = {kernel(map.size(2), height), kernel(map.size(3), width)};
    long[] noPadding = {0, 0};
    if (kind == Kind.MAX) {
      return torch.max_pool2d(map, window, window, noPadding, new long[] {1, 1}, true);
    }
    return torch.avg_pool2d(map, window, window, noPadding, true, false, new LongOptional());
  }
}
