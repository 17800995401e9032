package org.structkd.compress;

import java.util.List;
import java.util.OptionalDouble;
import org.structkd.internal.Settings;

/** Which weights of a network are 0 and stay so while it trains. */
public sealed interface Pruning {
  /** {@return beginnings of the names of weights that stay whole} */
  List<String> excluded();

  /**
   * {@return the share of weights that is pruned now; empty where none are}
   *
   * @param steps that are done
   */
  OptionalDouble dueAfter(long steps);

  /**
   * Gradual magnitude pruning: while a network trains, a growing share of its weights is set to 0
   * and stays there, the smallest first.
   *
   * <pre>{@code
   * sparsity(t) = target + (initial - target) (1 - p)^power,   p = (t - begin) / (end - begin) in 0 .. 1
   * }</pre>
   *
   * <p>after t steps, at {@code begin}, every {@code every} steps, and at {@code end}. Pruned are
   * weights of two and more dimensions, those of convolutions and linear layers; biases and
   * normalisation stay whole. A weight that was pruned stays so. Immutable, may be shared.
   *
   * <p>Source: M. Zhu and S. Gupta, "To prune, or not to prune", 2017, arXiv 1710.01878; power 3
   * and every 100 steps are those of TensorFlow Model Optimization's PolynomialDecay.
   *
   * @param target share of the weights that is 0 in the end, at least {@code initial}, less than 1
   * @param begin steps after which the first weights are pruned, 0 or more
   * @param end steps after which the target is reached, more than {@code begin}; no more than the
   *     training has
   * @param initial share that is pruned at {@code begin}, 0 or more
   * @param every steps between two times, 1 or more
   * @param power how much earlier most is pruned, greater than 0; 1 is evenly
   * @param range among which weights the smallest are looked for
   * @param excluded beginnings of the names of weights that stay whole, such as that of the first
   *     layer, which has few weights
   */
  record Magnitude(
      double target,
      long begin,
      long end,
      double initial,
      long every,
      double power,
      Range range,
      List<String> excluded)
      implements Pruning {
    /** Where the smallest weights are looked for. */
    public enum Range {
      /** In each tensor by itself: all layers get equally sparse. */
      TENSOR,
      /** In all weights together: layers of small weights get sparser. */
      NETWORK
    }

    /** Checks the numbers and copies the list. */
    public Magnitude {
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
      Settings.requireGiven("pruning", "range", range);
      excluded = List.copyOf(excluded);
    }

    /**
     * Nothing at first, every 100 steps with power 3, in each tensor, no weight excluded.
     *
     * @param target as above
     * @param begin as above
     * @param end as above
     */
    public Magnitude(double target, long begin, long end) {
      this(target, begin, end, 0, 100, 3, Range.TENSOR, List.of());
    }

    /**
     * {@return the share that is pruned after some steps}
     *
     * @param steps that are done
     */
    public double sparsityAfter(long steps) {
      if (steps < begin) {
        return 0;
      }
      double progress = Math.min(1, (double) (steps - begin) / (end - begin));
      return target + (initial - target) * StrictMath.pow(1 - progress, power);
    }

    @Override
    public OptionalDouble dueAfter(long steps) {
      boolean due = steps == end || steps >= begin && steps < end && (steps - begin) % every == 0;
      return due ? OptionalDouble.of(sparsityAfter(steps)) : OptionalDouble.empty();
    }
  }

  /**
   * Weights that are 0 when a training begins stay 0: how a pruned network trains on. Weights of
   * two and more dimensions are meant. Immutable, may be shared.
   *
   * @param excluded beginnings of the names of weights that are free
   */
  record Kept(List<String> excluded) implements Pruning {
    /** Copies the list. */
    public Kept {
      excluded = List.copyOf(excluded);
    }

    /** Of all weights. */
    public Kept() {
      this(List.of());
    }

    @Override
    public OptionalDouble dueAfter(long steps) {
      return OptionalDouble.empty();
    }
  }
}
