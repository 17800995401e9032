package org.structkd.compress;

import java.util.OptionalDouble;
import org.structkd.internal.Settings;

/**
 * How the share that is pruned grows, by the formula of {@link Pruning.Magnitude}, whose components
 * these are.
 */
record GradualSparsity(
    double target, long begin, long end, double initial, long every, double power) {
  GradualSparsity {
    if (!(target > 0 && target < 1)) { // also refuses NaN
      throw new IllegalArgumentException(
          "pruning: target is " + target + ", expected a share greater than 0 and less than 1");
    }
    if (!(initial >= 0 && initial <= target)) {
      throw new IllegalArgumentException(
          "pruning: initial is " + initial + ", expected 0 to the target, " + target);
    }
    if (begin < 0 || end <= begin) {
      throw new IllegalArgumentException(
          "pruning: begin is %s and end is %s, expected 0 or more steps and more than these"
              .formatted(begin, end));
    }
    if (every < 1) {
      throw new IllegalArgumentException("pruning: every is " + every + ", expected 1 or more");
    }
    Settings.requirePositive("pruning", "power", power);
  }

  /** The share that is pruned after some steps. */
  double after(long steps) {
    if (steps < begin) {
      return 0;
    }
    double progress = Math.min(1, (double) (steps - begin) / (end - begin));
    return target + (initial - target) * StrictMath.pow(1 - progress, power);
  }

  /** The share that is pruned now; empty where nothing is. */
  OptionalDouble dueAfter(long steps) {
    boolean due = steps == end || steps >= begin && steps < end && (steps - begin) % every == 0;
    return due ? OptionalDouble.of(after(steps)) : OptionalDouble.empty();
  }
}
