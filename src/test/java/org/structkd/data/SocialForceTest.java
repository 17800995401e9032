package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.structkd.data.SocialForce.Walker;

/** Walkers alone, in pairs and in crowds. */
class SocialForceTest {
  private static final double[] CALM = new double[4];

  private static void walk(List<Walker> walkers, double seconds) {
    for (int i = 0; i < Math.round(seconds / 0.05); i++) {
      SocialForce.move(walkers, 0.05, CALM);
    }
  }

  /** What a speed lacks is 0.9 of it after each move of a tenth of tau, in sum 9 moves. */
  @Test
  void whoIsAloneTakesUpTheWantedSpeed() {
    Walker walker = new Walker(1, 2, 1.3, 401, 302);
    walk(List.of(walker), 4);
    assertEquals(1.3 * 0.8, walker.vx, 1e-3);
    assertEquals(1.3 * 0.6, walker.vy, 1e-3);
    double walked = SocialForce.length(walker.x - 1, walker.y - 2);
    assertEquals(1.3 * (4 - 9 * 0.05), walked, 0.01);
  }

  /**
   * One stands in the way of nobody: the force of who is at rest is V0 / sigma exp(-r / sigma) away
   * from it, seen in full and half unseen.
   */
  @Test
  void theForceOfOneAtRestIsThatOfTheFormula() {
    Walker other = new Walker(0, 0, 1, 0, 0);
    double size = 2.1 / 0.3 * Math.exp(-0.6 / 0.3);
    Walker toward = new Walker(0.6, 0, 1, -50, 0);
    toward.vx = -1;
    assertArrayEquals(
        new double[] {size, 0}, SocialForce.force(toward, List.of(toward, other)), 1e-12);
    Walker away = new Walker(0.6, 0, 1, 50, 0);
    away.vx = 1;
    assertArrayEquals(
        new double[] {size / 2, 0}, SocialForce.force(away, List.of(away, other)), 1e-12);
  }

  /** The force is the gradient of the potential, here by differences. */
  @Test
  void theForceIsTheGradientOfTheEllipticPotential() {
    Walker other = new Walker(0.2, -0.1, 1, 0, 0);
    other.vx = 0.7;
    other.vy = -0.4;
    Walker walker = new Walker(1.1, -0.6, 0, -50, 30);
    double h = 1e-6;
    double[] expected = {
      (potential(1.1 - h, -0.6) - potential(1.1 + h, -0.6)) / (2 * h),
      (potential(1.1, -0.6 - h) - potential(1.1, -0.6 + h)) / (2 * h)
    };
    assertArrayEquals(expected, SocialForce.force(walker, List.of(other, walker)), 1e-6);
  }

  private static double potential(double x, double y) {
    double near = Math.hypot(x - 0.2, y + 0.1);
    double far = Math.hypot(x - 0.2 - 2 * 0.7, y + 0.1 + 2 * 0.4);
    double b = Math.sqrt((near + far) * (near + far) - 4 * (0.7 * 0.7 + 0.4 * 0.4)) / 2;
    return 2.1 * Math.exp(-b / 0.3);
  }

  /** Two who meet are the mirror of each other all the way, and pass. */
  @Test
  void whoMeetAreMirrored() {
    Walker one = new Walker(-4, 0.1, 1.34, 50, 0.1);
    Walker other = new Walker(4, -0.1, 1.34, -50, -0.1);
    List<Walker> both = List.of(one, other);
    double least = 9;
    for (int i = 0; i < 160; i++) {
      SocialForce.move(both, 0.05, CALM);
      assertEquals(-one.x, other.x, 1e-9);
      assertEquals(-one.y, other.y, 1e-9);
      least = Math.min(least, SocialForce.length(one.x - other.x, one.y - other.y));
    }
    assertTrue(one.x > 3, "at " + one.x);
    assertTrue(least >= SocialForce.BODY - 1e-9, "as near as " + least);
  }

  @Test
  void nobodyIsFasterThanMost() {
    Walker one = new Walker(0, 0, 1, 50, 0);
    one.vx = 1;
    Walker behind = new Walker(-0.45, 0, 1, 50, 0);
    behind.vx = 1;
    SocialForce.move(List.of(one, behind), 0.05, new double[] {100, 0, 0, 0});
    assertEquals(SocialForce.MOST, one.vx, 1e-12);
  }

  /** Nobody of a made scene walks through another, and speeds are those of people. */
  @Test
  void crowdsKeepTheirDistance() {
    double sum = 0;
    int steps = 0;
    for (int scene = 0; scene < 15; scene++) {
      List<Zone.Point[]> tracks = List.copyOf(MadeCrowd.scene(Split.TEST, scene, 20, 0.4).tracks());
      for (int frame = 0; frame < 20; frame++) {
        for (int i = 0; i < MadeCrowd.WALKERS; i++) {
          for (int j = 0; j < i; j++) {
            double distance = distance(tracks.get(i)[frame], tracks.get(j)[frame]);
            assertTrue(distance > 0.75 * SocialForce.BODY, "as near as " + distance);
          }
          if (frame > 0) {
            double speed = distance(tracks.get(i)[frame], tracks.get(i)[frame - 1]) / 0.4;
            assertTrue(speed < 3.5, "as fast as " + speed);
            sum += speed;
            steps++;
          }
        }
      }
    }
    assertEquals(SocialForce.SPEED, sum / steps, 0.3);
  }

  private static double distance(Zone.Point one, Zone.Point other) {
    return SocialForce.length(one.x() - other.x(), one.y() - other.y());
  }

  @Test
  void aSceneIsAFunctionOfItsSplitAndIndex() {
    Zone.Point[] one = MadeCrowd.scene(Split.TRAIN, 3, 5, 0.4).tracks().get(2);
    assertArrayEquals(one, MadeCrowd.scene(Split.TRAIN, 3, 5, 0.4).tracks().get(2));
    assertTrue(one[4] != MadeCrowd.scene(Split.TRAIN, 4, 5, 0.4).tracks().get(2)[4]);
    double other = MadeCrowd.scene(Split.TEST, 3, 5, 0.4).tracks().get(2)[4].x();
    assertTrue(one[4].x() != other, "splits differ");
  }
}
