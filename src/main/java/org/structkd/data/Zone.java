package org.structkd.data;

import java.util.List;

/**
 * A part of the ground, told by its corners in order: a polygon, whose border belongs to it. Where
 * sides cross, what lies within an odd number of turns is inside.
 *
 * @param corners at least three different ones, in metres
 */
public record Zone(List<Point> corners) {
  /**
   * A place on the ground.
   *
   * @param x metres
   * @param y metres
   */
  public record Point(double x, double y) {}

  /**
   * Checks the corners.
   *
   * @throws IllegalArgumentException if fewer than three differ, all lie on one line, or a number
   *     is not finite
   */
  public Zone {
    corners = List.copyOf(corners);
    if (corners.stream().distinct().count() < 3) {
      throw new IllegalArgumentException(
          "zone has %d different corners, expected at least 3"
              .formatted(corners.stream().distinct().count()));
    }
    for (Point corner : corners) {
      if (!Double.isFinite(corner.x + corner.y)) {
        throw new IllegalArgumentException(
            "zone has the corner %s, %s, expected finite numbers".formatted(corner.x, corner.y));
      }
    }
    if (isLine(corners)) {
      throw new IllegalArgumentException(
          "zone has its %d corners on one line, expected an area".formatted(corners.size()));
    }
  }

  private static boolean isLine(List<Point> corners) {
    Point first = corners.get(0);
    Point other =
        corners.stream().filter(corner -> !corner.equals(first)).findFirst().orElse(first);
    return corners.stream()
        .allMatch(
            corner ->
                (other.x - first.x) * (corner.y - first.y)
                    == (other.y - first.y) * (corner.x - first.x));
  }

  /**
   * {@return the zone of corners as recipes give them}
   *
   * @param corners x and y in metres of each
   * @throws IllegalArgumentException if a corner is not two numbers, or corners do not make a zone
   */
  public static Zone of(List<List<Double>> corners) {
    for (List<Double> corner : corners) {
      if (corner == null || corner.size() != 2) {
        throw new IllegalArgumentException(
            "zone has the corner %s, expected x and y in metres, such as [2, 0.5]"
                .formatted(corner));
      }
    }
    return new Zone(
        corners.stream().map(corner -> new Point(corner.get(0), corner.get(1))).toList());
  }

  /**
   * {@return whether a point is in the zone or on its border; never for NaN}
   *
   * @param x metres
   * @param y metres
   */
  public boolean contains(double x, double y) {
    boolean inside = false;
    Point a = corners.get(corners.size() - 1);
    for (Point b : corners) {
      double cross = (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
      if (cross == 0
          && Math.min(a.x, b.x) <= x
          && x <= Math.max(a.x, b.x)
          && Math.min(a.y, b.y) <= y
          && y <= Math.max(a.y, b.y)) {
        return true;
      }
      // A ray to the right crosses a side whose lower end it may touch, but not its upper.
      if (a.y > y != b.y > y && (b.y > a.y ? cross > 0 : cross < 0)) {
        inside = !inside;
      }
      a = b;
    }
    return inside;
  }
}
