package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Draws;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Settings;

/**
 * Relaxed ranking distillation (RRD): the student shall order the teacher's best items as the
 * teacher does, above others whose order does not matter.
 *
 * <pre>{@code
 * L = - sum_u sum_{k <= top} (s[pi[k]] - log(sum_{j >= k} exp s[pi[j]] + sum_l exp s[o[l]]))
 * }</pre>
 *
 * <p>pi_u[k] is the k-th best item of user u by the teacher, o_u are others, drawn by seed and step
 * from the items outside the top.
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0; a sum over the users of the batch.
 *   <li><b>Gradient:</b> to the student's scores of these items.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: S. Kang et al., "DE-RRD: A Knowledge Distillation Framework for Recommender System",
 * CIKM 2020, arXiv 2012.04357; code SeongKu-Kang/DE-RRD_CIKM20. Weight there: 0.001.
 *
 * @param top how many of the teacher's best items are ordered; all where there are fewer
 * @param others how many items are drawn to stand below; 0 or more
 * @param rated whether items with the target {@code rated} take no part
 * @param seed of the draws
 */
public record RelaxedRankingDistillationLoss(long top, long others, boolean rated, long seed)
    implements CountingLoss {
  private static final String NAME = "relaxed ranking distillation loss";

  /** Checks the numbers. */
  public RelaxedRankingDistillationLoss {
    Settings.requireCount(NAME, "top", top, 1);
    Settings.requireCount(NAME, "others", others, 0);
  }

  /** {@return 40 items in order above 40 others, all of them unrated} */
  public static RelaxedRankingDistillationLoss released() {
    return new RelaxedRankingDistillationLoss(40, 40, true, 0);
  }

  /** {@return the same among all items} */
  public static RelaxedRankingDistillationLoss allItems() {
    return new RelaxedRankingDistillationLoss(40, 40, false, 0);
  }

  /** {@inheritDoc} It is a sum over users. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.SUM;
  }

  @Override
  public Needs needs() {
    return ItemScores.needs(rated);
  }

  /**
   * {@inheritDoc} Items of the teacher's rankings are counted.
   *
   * @throws IllegalArgumentException if scores are not [users, items] of one shape, or there is one
   *     item, whose order is constant
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    ItemScores scores = ItemScores.of(NAME, inputs, rated);
    MapView given =
        MapView.of(NAME, "student", inputs.student(ItemScores.SCORES), MapView.Accepts.VECTORS);
    ConstantLoss.refuseIf(
        scores.items() == 1, given, "has one item, whose order is what it is; expected 2 or more");
    ItemScores.Chosen best = scores.best(top);
    Tensor outside =
        torch
            .ones_like(scores.teacher())
            .scatter(1, best.items(), best.taken().logical_not().to(scores.teacher().dtype()));
    Tensor s = scores.ofStudent(best);
    Tensor below = s;
    Tensor counts = notBefore(s, best.taken());
    if (others > 0) {
      ItemScores.Chosen drawn = scores.drawn(outside, others, new Draws(seed, inputs.step()), 0);
      long n = drawn.taken().size(1);
      below = torch.cat(new TensorVector(s, scores.ofStudent(drawn)), 1);
      Tensor each = drawn.taken().unsqueeze(1).expand(s.size(0), s.size(1), n);
      counts = torch.cat(new TensorVector(counts, each), 2);
    }
    // A place that is not taken stands for itself, so that its logarithm is finite and left out.
    Tensor logits =
        below
            .unsqueeze(1)
            .expand(counts.shape())
            .masked_fill(counts.logical_not(), new Scalar(Double.NEGATIVE_INFINITY));
    Tensor terms = logits.logsumexp(new long[] {2}, false).sub(s);
    Tensor sum = Rows.sumOfAll(terms.masked_fill(best.taken().logical_not(), new Scalar(0)));
    return new LossValue(sum, best.taken().sum());
  }

  /** Bool [users, k, j]: whether the item at place j counts at place k, which it does itself. */
  private static Tensor notBefore(Tensor s, Tensor taken) {
    Tensor place = torch.arange(new Scalar(s.size(1)), s.options());
    Tensor at = place.unsqueeze(1);
    Tensor behind = at.lt(place.unsqueeze(0)).unsqueeze(0).logical_and(taken.unsqueeze(1));
    return behind.logical_or(at.eq(place.unsqueeze(0)).unsqueeze(0));
  }
}
