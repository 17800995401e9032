package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.structkd.StructkdException;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Operator;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Relational loss (RKD): pulls what pairs or triples of the student's embeddings of a batch are to
 * each other towards what the teacher's are: distances, angles or areas.
 *
 * <pre>{@code
 * L           = mean of huber(psi_S - psi_T)      huber(x) = x^2 / 2 where |x| < 1, else |x| - 1/2
 *
 * DISTANCE      over all N^2 pairs
 * psi[i,j]    = d[i,j] / mean of the d of i != j
 * d[i,j]      = sqrt(max(|e_i - e_j|^2, 1e-12)), d[i,i] = 0
 *
 * ANGLE         over all N^3 triples
 * psi[i,j,k]  = <u_ij, u_ik>,  u_ij = (e_j - e_i) / |e_j - e_i|, 0 where embeddings agree
 *
 * AREA          over all N^3 triples
 * psi[i,j,k]  = a[i,j,k] / mean of the a of three different embeddings
 * a[i,j,k]    = 1/2 sqrt(max(|u|^2 |v|^2 - <u,v>^2, 1e-12)),  u = e_i - e_j, v = e_k - e_j,
 *               0 where two of i, j, k agree
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; a mean over all pairs or triples, those of one embedding
 *       with itself included.
 *   <li><b>Gradient:</b> to the student only, also through its mean distance or area. Embeddings
 *       that agree and flat triangles push nowhere; nor does an embedding of length 0 that is to be
 *       normalized.
 *   <li><b>Numbers:</b> f64, from squared distances that are sums of squared differences, so that
 *       embeddings may lie far from the origin. Channels of student and teacher may differ.
 *   <li><b>Memory:</b> a few matrices N x N of f64, also of triples; N at most 32,768. <b>Time:</b>
 *       O(N^3) of triples.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 * </ul>
 *
 * <p>Source: W. Park et al., "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068; code
 * lenscloth/RKD 0a6c3c0. Areas: ARKD, 2023, whose code is not public; docs/methods/relational.md
 * says what is our reading.
 *
 * @param kind which relation is compared
 * @param normalize whether embeddings are scaled to unit length first, as mmrazor does by default;
 *     RKD's own code does not
 */
public record RelationalLoss(Kind kind, boolean normalize) implements MapLoss {
  private static final String NAME = "relational loss";

  /** The role of its outputs. */
  public static final String EMBEDDINGS = "embeddings";

  /** With two embeddings the one distance is its own mean, and there is no angle. */
  private static final long LEAST_EMBEDDINGS = 3;

  /** Which relation is compared. */
  public enum Kind {
    /** The distance of two embeddings (RKD-D). */
    DISTANCE,
    /** The cosine of the angle at one embedding between two others (RKD-A). */
    ANGLE,
    /** The area of the triangle of three embeddings (ARKD). */
    AREA
  }

  /** Checks that there is a kind. */
  public RelationalLoss {
    Settings.requireGiven(NAME, "kind", kind);
  }

  /**
   * {@return distances as in RKD's code: embeddings as they are; its weight there is 25 for
   * classification, 1 for metric learning}
   */
  public static RelationalLoss standard() {
    return new RelationalLoss(Kind.DISTANCE, false);
  }

  /** {@return distances as in mmrazor's code: embeddings are scaled to unit length first} */
  public static RelationalLoss distanceOfDirections() {
    return new RelationalLoss(Kind.DISTANCE, true);
  }

  /**
   * {@return angles as in RKD's code; its weight there is twice that of distances: 50 for
   * classification, 2 for metric learning}
   */
  public static RelationalLoss angle() {
    return new RelationalLoss(Kind.ANGLE, false);
  }

  /** {@return angles as in mmrazor's code: embeddings are scaled to unit length first} */
  public static RelationalLoss angleOfDirections() {
    return new RelationalLoss(Kind.ANGLE, true);
  }

  /** {@return areas as we read ARKD} */
  public static RelationalLoss area() {
    return new RelationalLoss(Kind.AREA, false);
  }

  /** {@inheritDoc} Examples are compared with each other. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
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
   *     not fit, or the loss would be constant: fewer than 3 embeddings, or Cs = 1 but for
   *     distances of embeddings as they are
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair pair = MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS);
          pair.requireRank(2, "[batch, channels]");
          refuseConstant(pair.student());
          return Operator.call(
              "relational", pair.student().map(), pair.teacher().map(), kind, normalize);
        });
  }

  private void refuseConstant(MapView student) {
    ConstantLoss.refuseIf(
        student.map().size(0) < LEAST_EMBEDDINGS,
        student,
        "has fewer than 3 embeddings: "
            + switch (kind) {
              case DISTANCE -> "the one distance of two is its own mean";
              case ANGLE -> "two have no angle";
              case AREA -> "two have no area";
            }
            + "; expected a batch of 3 or more");
    ConstantLoss.refuseIf(
        student.map().size(1) == 1 && (kind != Kind.DISTANCE || normalize),
        student,
        "has one channel, in which "
            + switch (kind) {
              case DISTANCE -> "normalized embeddings are 1 or -1";
              case ANGLE -> "every cosine is 1 or -1";
              case AREA -> "every triangle is flat";
            }
            + "; expected 2 channels or more");
  }
}
