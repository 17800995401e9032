package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Draws;
import org.structkd.internal.Rows;
import org.structkd.internal.Settings;

/**
 * Ranking distillation (RD): the items that the teacher ranks highest shall have high scores, those
 * most that stand first there and that the student ranks too low.
 *
 * <pre>{@code
 * L    = -1/B sum_u sum_{k <= top} a[k] b[u,k] log sigmoid(s[u, pi_u[k]])
 * a[k] = exp(-k / sharpness) / sum_j exp(-j / sharpness)
 * b    = max(0, tanh(slope (r - (k - 1))))     from step start on, else 1
 * r    = floor(items * share of the drawn items that the student scores above pi_u[k])
 * }</pre>
 *
 * <p>pi_u[k] is the k-th best item of user u by the teacher. The weights are constant for the
 * gradient.
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0; a mean over the users of the batch.
 *   <li><b>Gradient:</b> to the student's scores of the teacher's best items.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: J. Tang, K. Wang, "Ranking Distillation: Learning Compact Ranking Models With High
 * Performance for Recommender System", KDD 2018; code graytowne/rank_distill.
 *
 * @param top how many of the teacher's best items are learned; all where there are fewer
 * @param sharpness of the weight by position, above 0: the smaller, the more the first items weigh
 * @param slope of the weight by how much too low the student ranks an item, above 0
 * @param samples items drawn to estimate a rank; 0: no such weight
 * @param start step from which on that weight counts
 * @param rated whether items with the target {@code rated} take no part
 * @param seed of the draws
 */
public record RankingDistillationLoss(
    long top, double sharpness, double slope, long samples, long start, boolean rated, long seed)
    implements CountingLoss {
  private static final String NAME = "ranking distillation loss";

  /** Checks the numbers. */
  public RankingDistillationLoss {
    Settings.requireCount(NAME, "top", top, 1);
    Settings.requirePositive(NAME, "sharpness", sharpness);
    Settings.requirePositive(NAME, "slope", slope);
    Settings.requireCount(NAME, "samples", samples, 0);
    Settings.requireCount(NAME, "start", start, 0);
  }

  /** {@return both weights over unrated items; the second counts from step 1000 on} */
  public static RankingDistillationLoss released() {
    return new RankingDistillationLoss(10, 1, 0.1, 100, 1000, true, 0);
  }

  /** {@return the weight by position alone, over all items} */
  public static RankingDistillationLoss byPosition() {
    return new RankingDistillationLoss(10, 1, 0.1, 0, 0, false, 0);
  }

  @Override
  public Needs needs() {
    return ItemScores.needs(rated);
  }

  /**
   * {@inheritDoc} Items of the teacher's rankings are counted.
   *
   * @throws IllegalArgumentException if scores are not [users, items] of one shape
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    ItemScores scores = ItemScores.of(NAME, inputs, rated);
    ItemScores.Chosen best = scores.best(top);
    Tensor s = scores.ofStudent(best);
    Tensor k = torch.arange(new Scalar(1), new Scalar(s.size(1) + 1), s.options());
    Tensor all = torch.arange(new Scalar(1), new Scalar(top + 1), s.options());
    Tensor weights = atPosition(k).div(atPosition(all).sum()).unsqueeze(0).expand(s.shape());
    if (samples > 0 && inputs.step() >= start) {
      weights = weights.mul(byDiscrepancy(scores, s.detach(), k, inputs.step()));
    }
    weights = weights.masked_fill(best.taken().logical_not(), new Scalar(0));
    Tensor sum = Rows.sumOfAll(torch.log_sigmoid(s).neg().mul(weights));
    return new LossValue(sum.div(new Scalar(s.size(0))), best.taken().sum());
  }

  private Tensor atPosition(Tensor k) {
    return k.div(new Scalar(-sharpness)).exp();
  }

  private Tensor byDiscrepancy(ItemScores scores, Tensor s, Tensor k, long step) {
    Tensor alike = torch.ones_like(scores.teacher());
    ItemScores.Chosen drawn = scores.drawn(alike, samples, new Draws(seed, step), 0);
    Tensor others = scores.ofStudent(drawn).detach().unsqueeze(1);
    Tensor above =
        s.unsqueeze(2).lt(others).logical_and(drawn.taken().unsqueeze(1)).sum(2); // [B, K]
    Tensor count = drawn.taken().sum(1).clamp_min(new Scalar(1)).unsqueeze(1);
    // Whole numbers: a quotient that is rounded might fall below its floor.
    Tensor rank = above.mul(new Scalar(scores.items())).floor_divide(count).to(s.scalar_type());
    Tensor low = rank.sub(k.sub(new Scalar(1)));
    return low.mul(new Scalar(slope)).tanh().clamp_min(new Scalar(0));
  }
}
