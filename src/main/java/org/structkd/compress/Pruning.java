package org.structkd.compress;

import java.util.List;
import java.util.OptionalDouble;
import org.structkd.internal.Settings;

/** Which weights or channels of a network are 0 and stay so while it trains. */
public sealed interface Pruning {
  /** {@return beginnings of the names of weights, or groups of channels, that stay whole} */
  List<String> excluded();

  /** {@return steps after which no more is pruned} */
  long end();

  /**
   * {@return the share that is pruned now; empty where nothing is}
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
   * normalisation stay whole, and so does the largest weight. A weight that was pruned stays so.
   * Immutable, may be shared.
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
      new GradualSparsity(target, begin, end, initial, every, power);
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

    @Override
    public OptionalDouble dueAfter(long steps) {
      return new GradualSparsity(target, begin, end, initial, every, power).dueAfter(steps);
    }
  }

  /**
   * Structured pruning: while a network trains, a growing share of the output channels of its
   * convolutions is set to 0 and stays there, by the formula of {@link Magnitude}. In each {@link
   * org.structkd.model.ChannelGroup} those go first whose filters have the least L2 norm, all of
   * the group's together; one always stays. What becomes 0 is a channel's filters and biases, the
   * scale and shift of its normalisation, and the weights that read it, so that it is 0 for every
   * input: {@link Shrinking} removes it, and what the network computes stays the same.
   *
   * <p>For networks that say which channels can be removed ({@link
   * org.structkd.model.ShrinkableNetwork}). Immutable, may be shared.
   *
   * <p>Source: Y. He et al., "Soft Filter Pruning", IJCAI 2018, arXiv 1808.06866, for the L2 norm
   * and one share in all layers; here a pruned filter stays 0, as in H. Li et al., "Pruning Filters
   * for Efficient ConvNets", ICLR 2017, arXiv 1608.08710, who take the L1 norm. Schedule and its
   * defaults as for {@link Magnitude}.
   *
   * @param target share of each group's channels that is 0 in the end, at least {@code initial},
   *     less than 1
   * @param begin steps after which the first channels are pruned, 0 or more
   * @param end steps after which the target is reached, more than {@code begin}; no more than the
   *     training has
   * @param initial share that is pruned at {@code begin}, 0 or more
   * @param every steps between two times, 1 or more
   * @param power how much earlier most is pruned, greater than 0; 1 is evenly
   * @param excluded beginnings of the names of groups that stay whole
   */
  record Channels(
      double target,
      long begin,
      long end,
      double initial,
      long every,
      double power,
      List<String> excluded)
      implements Pruning {
    /** Checks the numbers and copies the list. */
    public Channels {
      new GradualSparsity(target, begin, end, initial, every, power);
      excluded = List.copyOf(excluded);
    }

    /**
     * Nothing at first, every 100 steps with power 3, no group excluded.
     *
     * @param target as above
     * @param begin as above
     * @param end as above
     */
    public Channels(double target, long begin, long end) {
      this(target, begin, end, 0, 100, 3, List.of());
    }

    @Override
    public OptionalDouble dueAfter(long steps) {
      return new GradualSparsity(target, begin, end, initial, every, power).dueAfter(steps);
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
    public long end() {
      return 0;
    }

    @Override
    public OptionalDouble dueAfter(long steps) {
      return OptionalDouble.empty();
    }
  }
}
