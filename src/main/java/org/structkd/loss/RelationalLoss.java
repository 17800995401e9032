package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Relational loss (RKD): pulls the distances between the student's embeddings of a batch towards
 * the teacher's, each in units of its own mean distance.
 *
 * <pre>{@code
 * L         = 1/N^2 sum_ij huber(psi_S[i,j] - psi_T[i,j])
 * psi[i,j]  = d[i,j] / mean of the positive d
 * d[i,j]    = sqrt(max(|e_i - e_j|^2, 1e-12)), d[i,i] = 0
 * huber(x)  = x^2 / 2 where |x| < 1, else |x| - 1/2
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; a mean over all N^2 pairs, the diagonal included.
 *   <li><b>Gradient:</b> to the student only, also through its mean distance. Embeddings that agree
 *       push each other nowhere.
 *   <li><b>Numbers:</b> distances are differences of lengths, which cancel, and so are computed in
 *       f64. Channels of student and teacher may differ.
 *   <li><b>Memory:</b> some matrices N x N of f64.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: W. Park et al., "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068; code
 * lenscloth/RKD 0a6c3c0. Weight there: 25 for classification, 1 for metric learning.
 *
 * @param kind which relation is compared
 * @param normalize whether embeddings are scaled to unit length first, as mmrazor does by default;
 *     RKD's own code does not
 */
public record RelationalLoss(Kind kind, boolean normalize) implements MapLoss {
  private static final String NAME = "relational loss";

  /** The role of its outputs. */
  public static final String EMBEDDINGS = "embeddings";

  /** The square of the least distance, by which its root has a derivative. */
  private static final double LEAST_SQUARE = 1e-12;

  /** The length below which an embedding is not scaled further, as in F.normalize. */
  private static final double LEAST_LENGTH = 1e-12;

  /** With two embeddings the one distance is its own mean. */
  private static final long LEAST_EMBEDDINGS = 3;

  /** Which relation is compared. */
  public enum Kind {
    /** The distance of two embeddings. */
    DISTANCE
  }

  /** Checks that there is a kind. */
  public RelationalLoss {
    Settings.requireGiven(NAME, "kind", kind);
  }

  /** {@return distances as in RKD's code: embeddings as they are} */
  public static RelationalLoss standard() {
    return new RelationalLoss(Kind.DISTANCE, false);
  }

  /** {@return distances as in mmrazor's code: embeddings are scaled to unit length first} */
  public static RelationalLoss distanceOfDirections() {
    return new RelationalLoss(Kind.DISTANCE, true);
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(EMBEDDINGS, 2), false);
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student embeddings [N, Cs], N at least 3; f32, f64, f16 or bf16
   * @param teacher embeddings [N, Ct] on the same device; constant even if it requires grad
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch or device do
   *     not fit, or there are fewer than 3 embeddings, whose loss is constant
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair pair = MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS);
          pair.requireRank(2, "[batch, channels]");
          ConstantLoss.refuseIf(
              student.size(0) < LEAST_EMBEDDINGS,
              pair.student(),
              "has fewer than 3 embeddings: the one distance of two is its own mean; expected a"
                  + " batch of 3 or more");
          boolean isDouble =
              student.scalar_type().intern() == ScalarType.Double
                  || teacher.scalar_type().intern() == ScalarType.Double;
          Tensor loss = torch.huber_loss(relations(student), relations(teacher.detach()));
          return isDouble ? loss : loss.to(ScalarType.Float);
        });
  }

  /** The distances of all pairs in units of their mean, [N, N] in f64. */
  private Tensor relations(Tensor embeddings) {
    Tensor points = embeddings.to(ScalarType.Double);
    if (normalize) {
      Tensor lengths = points.square().sum(new long[] {1}, true, new ScalarTypeOptional()).sqrt();
      points = points.div(lengths.clamp_min(new Scalar(LEAST_LENGTH)));
    }
    Tensor squares = points.square().sum(new long[] {1}, false, new ScalarTypeOptional());
    Tensor distances =
        squares
            .unsqueeze(1)
            .add(squares.unsqueeze(0))
            .sub(points.mm(points.t()).mul(new Scalar(2)))
            .clamp_min(new Scalar(LEAST_SQUARE))
            .sqrt();
    long n = embeddings.size(0);
    Tensor apart = distances.mul(torch.eye(n, distances.options()).neg().add(new Scalar(1)));
    return apart.div(apart.sum().div(new Scalar(n * (n - 1)))); // off the diagonal all are positive
  }
}
