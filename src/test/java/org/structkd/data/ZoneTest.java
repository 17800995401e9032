package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.structkd.testing.Refusals.refused;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Points in zones, on their borders and beside them. */
class ZoneTest {
  private static final List<List<Double>> SQUARE =
      List.of(List.of(0., 0.), List.of(4., 0.), List.of(4., 3.), List.of(0., 3.));

  /** A U: the notch between x 1 and 3 above y 1 is outside. */
  private static final List<List<Double>> NOTCHED =
      List.of(
          List.of(0., 0.),
          List.of(4., 0.),
          List.of(4., 3.),
          List.of(3., 3.),
          List.of(3., 1.),
          List.of(1., 1.),
          List.of(1., 3.),
          List.of(0., 3.));

  /** An hourglass, whose two triangles are inside. */
  private static final List<List<Double>> CROSSED =
      List.of(List.of(0., 0.), List.of(4., 4.), List.of(4., 0.), List.of(0., 4.));

  @ParameterizedTest
  @CsvSource({
    "square, 2, 1, true",
    "square, 0, 0, true",
    "square, 4, 3, true",
    "square, 4, 1.5, true",
    "square, 2, 0, true",
    "square, 2, 3, true",
    "square, -1e-9, 1, false",
    "square, 5, 0, false",
    "square, -1, 3, false",
    "square, 5, 3, false",
    "square, 2, 3.0001, false",
    "notched, 2, 2, false",
    "notched, 0.5, 2, true",
    "notched, 3.5, 3, true",
    "notched, 2, 1, true",
    "notched, 2, 3, false",
    "notched, -1, 1, false",
    "notched, 9, 1, false",
    "crossed, 1, 2, true",
    "crossed, 2, 1, false",
    "crossed, 2, 2, true",
    "crossed, 3, 2, true",
    "square, NaN, 1, false",
    "square, 1, NaN, false",
    "square, Infinity, 1, false"
  })
  void aPointIsInOrOut(String name, double x, double y, boolean inside) {
    List<List<Double>> corners =
        name.equals("square") ? SQUARE : name.equals("notched") ? NOTCHED : CROSSED;
    assertEquals(inside, Zone.of(corners).contains(x, y));
  }

  /**
   * Neither the direction of the corners nor the first of them matters, nor does one more often.
   */
  @Test
  void cornersMayBeginAnywhere() {
    for (int turn = 0; turn < NOTCHED.size(); turn++) {
      Zone.Point[] corners = new Zone.Point[NOTCHED.size() + 2];
      for (int i = 0; i < corners.length; i++) {
        List<Double> corner = NOTCHED.get((turn + Math.min(i, 7)) % NOTCHED.size());
        corners[corners.length - 1 - i] = new Zone.Point(corner.get(0), corner.get(1));
      }
      Zone turned = new Zone(Arrays.asList(corners));
      for (double x = -0.75; x < 5; x += 0.5) {
        for (double y = -0.75; y < 4; y += 0.5) {
          assertEquals(Zone.of(NOTCHED).contains(x, y), turned.contains(x, y), x + ", " + y);
        }
      }
    }
    assertFalse(Zone.of(NOTCHED).contains(2, 2));
  }

  @Test
  void whatIsNoZoneIsRefused() {
    refused(
        "zone has 2 different corners, expected at least 3",
        () -> Zone.of(List.of(List.of(0., 0.), List.of(1., 0.), List.of(0., 0.))));
    refused(
        "zone has the corner [1.0], expected x and y in metres, such as [2, 0.5]",
        () -> Zone.of(List.of(List.of(0., 0.), List.of(1.), List.of(0., 1.))));
    refused(
        "zone has the corner NaN, 0.0, expected finite numbers",
        () -> Zone.of(List.of(List.of(0., 0.), List.of(1., 0.), List.of(Double.NaN, 0.))));
  }
}
