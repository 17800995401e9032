package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.MapLoss;

/** Inter-class similarity loss as published. */
final class InterClassSimilarityFormulas implements LossFormulas {
  private static final InterClassSimilarityLoss LOSS = InterClassSimilarityLoss.paper();
  private static final MapLoss COMPOSED = Computation.on("composed", LOSS::forward);
  private static final Scalar ONE = new Scalar(1.0).retainReference();
  private static final Scalar MINUS_ONE = new Scalar(-1.0).retainReference();
  private static final long NO_REDUCTION = 0; // as operators number it

  @Override
  public MapLoss ours(CaseShape shape) {
    return LOSS;
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    Computation timed =
        switch (provider) {
          case "eager", "eager-malloc" -> Computation.autograd(COMPOSED);
          case "eager-best" -> Computation.byHand(InterClassSimilarityFormulas::best);
          case "authors" -> Computation.autograd(InterClassSimilarityFormulas::authors);
          default -> Computation.autograd(LOSS);
        };
    return new Contender(timed, COMPOSED, "eager", LOSS);
  }

  /** KL(p_i, p_j) for all pairs of classes: sum p_i log p_i - sum p_i log p_j. */
  private static Tensor divergences(Tensor map) {
    Tensor logs = map.flatten(2, 3).log_softmax(2);
    return divergences(logs, logs.exp());
  }

  private static Tensor divergences(Tensor logs, Tensor shares) {
    Tensor products = torch.bmm(shares, logs.transpose(1, 2));
    return products.diagonal(0, 1, 2).unsqueeze(2).sub(products);
  }

  /**
   * With G the gradient by the matrix M, g_k = sum_j G_kj and h_k = sum_j G_kj M_kj - sum_i G_ik:
   * d/dz_k = p_k (g_k log p_k - sum_j G_kj log p_j - h_k) - sum_i G_ik p_i.
   */
  private static Computation.Result best(Tensor student, Tensor teacher, boolean wantGradient) {
    Tensor logs = student.flatten(2, 3).log_softmax(2);
    Tensor shares = logs.exp();
    Tensor ours = divergences(logs, shares);
    Tensor gaps = ours.sub(divergences(teacher));
    double entries = gaps.numel();
    Tensor value = gaps.square().sum().div(new Scalar(entries));
    if (!wantGradient) {
      return new Computation.Result(value, null);
    }
    Tensor slope = gaps.mul(new Scalar(2 / entries));
    Tensor ofRows = slope.sum(new long[] {2}, true, new ScalarTypeOptional());
    Tensor shift =
        slope
            .mul(ours)
            .sum(new long[] {2}, false, new ScalarTypeOptional())
            .sub(slope.sum(new long[] {1}, false, new ScalarTypeOptional()))
            .unsqueeze(2);
    Tensor gradient = logs.mul(ofRows);
    gradient.baddbmm_(slope, logs, ONE, MINUS_ONE).sub_(shift).mul_(shares);
    gradient.baddbmm_(slope.transpose(1, 2), shares, ONE, MINUS_ONE);
    return new Computation.Result(value, gradient);
  }

  /** AICSD's way to the published matrix: one divergence after another, in a loop over pairs. */
  private static Tensor authors(Tensor student, Tensor teacher) {
    return torch.mse_loss(pairByPair(student), pairByPair(teacher));
  }

  private static Tensor pairByPair(Tensor map) {
    Tensor logs = map.flatten(2, 3).log_softmax(2);
    TensorVector pairs = new TensorVector();
    for (long i = 0; i < logs.size(1); i++) {
      for (long j = 0; j < logs.size(1); j++) {
        pairs.push_back(
            torch
                .kl_div(logs.select(1, j), logs.select(1, i), NO_REDUCTION, true)
                .sum(new long[] {1}, false, new ScalarTypeOptional()));
      }
    }
    return torch.stack(pairs);
  }

  /**
   * The products of shares and scores of both maps, 2 N K^2 each, and two such products for the
   * gradient. Per element of both maps a maximum, a shift, an exponential and a sum; for the
   * gradient the student's exponential again and 6 more. The student's map is read twice, the
   * teacher's once, the gradient is written.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double elements = shape.elements();
    double slots = 2 * (3 + Work.EXP) + (full ? 6 + Work.EXP : 0);
    return new Work(
        elements * shape.channels() * (full ? 8 : 4),
        0,
        slots * elements,
        0,
        (full ? 4 : 2) * Work.F32 * elements);
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double map = Work.F32 * shape.elements();
    double products = shape.elements() * shape.channels(); // N K^2
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(12 * products, 32 * map, 8 * map);
      case "eager-best" -> new Effort(8 * products, 20 * map, 7 * map);
      // Each of K^2 divergences keeps a row for the gradient.
      case "authors" ->
          new Effort(0, 32 * shape.channels() * map, 1.25 * shape.channels() * map + 8 * map);
      default -> effortOfLeastWork(shape);
    };
  }
}
