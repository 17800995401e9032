package org.structkd.data;

import java.util.List;

/**
 * Walkers who go where they want to and keep their distance.
 *
 * <pre>{@code
 * dv/dt = (v0 e - v) / tau + sum over the others of w f + fluctuation     |v| at most 1.3 v0
 * f     = - gradient of V0 exp(-b / sigma)
 * 2 b   = sqrt((|r| + |r - s|)^2 - |s|^2)     r: from the other to the walker, s: the other's step
 * w     = 1 within 100 degrees of the wanted direction e, else 1/2
 * }</pre>
 *
 * <p>Source: D. Helbing, P. Molnar, "Social force model for pedestrian dynamics", Physical Review E
 * 51, 1995, with the numbers of its section III. There are no walls here, and nobody attracts.
 * Forces alone let walkers pass through each other now and then: who is nearer than {@link #BODY}
 * is moved apart, which is ours.
 */
final class SocialForce {
  /** Mean and deviation of the speeds that walkers want, m/s. */
  static final double SPEED = 1.34;

  static final double SPEED_DEVIATION = 0.26;

  /** Most of a speed, as a share of the wanted one. */
  static final double MOST = 1.3;

  /** Least distance of two walkers, m: the depth of two bodies. */
  static final double BODY = 0.4;

  /** Seconds in which a walker takes up the wanted speed. */
  private static final double RELAXATION = 0.5;

  /** V0, m^2/s^2. */
  private static final double REPULSION = 2.1;

  /** Sigma, m. */
  private static final double RANGE = 0.3;

  /** Seconds of a walker's step, which others keep free. */
  private static final double STEP = 2;

  /** Weight of those who are not seen, and the cosine of half the angle of sight. */
  private static final double UNSEEN = 0.5;

  private static final double SIGHT = StrictMath.cos(StrictMath.toRadians(100));

  /** Forces from beyond it are below 0.001 m/s^2 and left out: b, m. */
  private static final double FARTHEST = 3;

  /** Least b and distance, m: the force has no direction where they are 0. */
  private static final double LEAST = 1e-3;

  private SocialForce() {}

  /** One who walks: m and m/s. */
  static final class Walker {
    double x;
    double y;
    double vx;
    double vy;
    double goalX;
    double goalY;
    final double speed;

    /** One who stands at a place and wants to go at a speed to another. */
    Walker(double x, double y, double speed, double goalX, double goalY) {
      this.x = x;
      this.y = y;
      this.speed = speed;
      this.goalX = goalX;
      this.goalY = goalY;
    }

    double distanceToGoal() {
      return length(goalX - x, goalY - y);
    }
  }

  /**
   * Moves all walkers at once.
   *
   * @param walkers who see each other
   * @param seconds of the move, short beside the half second in which speeds change
   * @param fluctuation further acceleration of each walker in x and y, m/s^2, two numbers each
   */
  static void move(List<Walker> walkers, double seconds, double[] fluctuation) {
    double[] changes = new double[2 * walkers.size()];
    for (int i = 0; i < walkers.size(); i++) {
      double[] force = force(walkers.get(i), walkers);
      changes[2 * i] = (force[0] + fluctuation[2 * i]) * seconds;
      changes[2 * i + 1] = (force[1] + fluctuation[2 * i + 1]) * seconds;
    }
    for (int i = 0; i < walkers.size(); i++) {
      Walker walker = walkers.get(i);
      double vx = walker.vx + changes[2 * i];
      double vy = walker.vy + changes[2 * i + 1];
      double factor = Math.min(1, MOST * walker.speed / Math.max(length(vx, vy), LEAST));
      walker.vx = factor * vx;
      walker.vy = factor * vy;
      walker.x += seconds * walker.vx;
      walker.y += seconds * walker.vy;
    }
    separate(walkers);
  }

  /** Moves those apart who are too near, each by half of what is missing. */
  private static void separate(List<Walker> walkers) {
    for (int i = 0; i < walkers.size(); i++) {
      for (int j = 0; j < i; j++) {
        Walker one = walkers.get(i);
        Walker other = walkers.get(j);
        double x = one.x - other.x;
        double y = one.y - other.y;
        double distance = Math.max(length(x, y), LEAST);
        double share = (BODY - distance) / (2 * distance);
        if (share > 0) {
          one.x += share * x;
          one.y += share * y;
          other.x -= share * x;
          other.y -= share * y;
        }
      }
    }
  }

  /** What a walker wants, and what the others do to it, m/s^2. */
  static double[] force(Walker walker, List<Walker> walkers) {
    double toGoal = Math.max(walker.distanceToGoal(), LEAST);
    double ex = (walker.goalX - walker.x) / toGoal;
    double ey = (walker.goalY - walker.y) / toGoal;
    double ax = (walker.speed * ex - walker.vx) / RELAXATION;
    double ay = (walker.speed * ey - walker.vy) / RELAXATION;
    for (Walker other : walkers) {
      if (other == walker) {
        continue;
      }
      double rx = walker.x - other.x;
      double ry = walker.y - other.y;
      double sx = STEP * other.vx;
      double sy = STEP * other.vy;
      double near = Math.max(length(rx, ry), LEAST);
      double far = Math.max(length(rx - sx, ry - sy), LEAST);
      double sum = near + far;
      double b = Math.max(Math.sqrt(Math.max(sum * sum - sx * sx - sy * sy, 0)) / 2, LEAST);
      if (b > FARTHEST) {
        continue;
      }
      double size = REPULSION / RANGE * StrictMath.exp(-b / RANGE) * sum / (4 * b);
      double fx = size * (rx / near + (rx - sx) / far);
      double fy = size * (ry / near + (ry - sy) / far);
      double weight = -(ex * fx + ey * fy) >= length(fx, fy) * SIGHT ? 1 : UNSEEN;
      ax += weight * fx;
      ay += weight * fy;
    }
    return new double[] {ax, ay};
  }

  /** Length of a vector. */
  static double length(double x, double y) {
    return Math.sqrt(x * x + y * y);
  }
}
