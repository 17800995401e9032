package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.Settings;

/**
 * Collaborative distillation (CD): the teacher says how likely users like items that they have not
 * rated, most often items that it ranks high.
 *
 * <pre>{@code
 * L = 1/B sum_u sum over drawn items i of BCE(sigmoid(s[u,i]), sigmoid(t[u,i] / temperature))
 * an item is drawn, without replacement, in proportion to exp(-rank_T / sharpness), rank 1 the best
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0; a mean over users of sums over items. It is no 0 for
 *       equal networks: the entropy of the targets is in it.
 *   <li><b>Gradient:</b> to the student's scores, (sigmoid(s) - sigmoid(t / temperature)) / B.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: J. Lee et al., "Collaborative Distillation for Top-N Recommendation", ICDM 2019, arXiv
 * 1911.05276; how chances fall with the rank is our reading.
 *
 * @param draws items of each user, 1 or more; all where there are fewer
 * @param temperature of the teacher's scores, above 0
 * @param sharpness of the chances by rank, above 0: the smaller, the more the first are drawn
 * @param rated whether items with the target {@code rated} take no part
 * @param seed of the draws
 */
public record CollaborativeDistillationLoss(
    long draws, double temperature, double sharpness, boolean rated, long seed)
    implements CountingLoss {
  private static final String NAME = "collaborative distillation loss";

  /** Checks the numbers. */
  public CollaborativeDistillationLoss {
    Settings.requireCount(NAME, "draws", draws, 1);
    Settings.requirePositive(NAME, "temperature", temperature);
    Settings.requirePositive(NAME, "sharpness", sharpness);
  }

  /** {@return 50 unrated items of each user, the first ten ranks or so drawn most} */
  public static CollaborativeDistillationLoss standard() {
    return new CollaborativeDistillationLoss(50, 1, 10, true, 0);
  }

  /** {@return the same among all items} */
  public static CollaborativeDistillationLoss allItems() {
    return new CollaborativeDistillationLoss(50, 1, 10, false, 0);
  }

  @Override
  public Needs needs() {
    return ItemScores.needs(rated);
  }

  /**
   * {@inheritDoc} Drawn items are counted.
   *
   * @throws IllegalArgumentException if scores are not [users, items] of one shape
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    ItemScores scores = ItemScores.of(NAME, inputs, rated);
    Tensor weights =
        scores.ranks(scores.teacher()).to(ScalarType.Double).div(new Scalar(-sharpness)).exp();
    ItemScores.Chosen drawn = scores.drawn(weights, draws, new Draws(seed, inputs.step()), 0);
    Tensor sum = scores.crossEntropy(drawn, temperature);
    return new LossValue(sum.div(new Scalar(weights.size(0))), drawn.taken().sum());
  }
}
