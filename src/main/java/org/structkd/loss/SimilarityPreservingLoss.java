package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;

/**
 * Similarity-preserving loss (SP): images that activate the teacher alike shall activate the
 * student alike.
 *
 * <pre>{@code
 * L = sum over layers of 1/B^2 sum_ij (g_S[i,j] - g_T[i,j])^2
 * g = rows of G, each divided by max(its length, 1e-12)
 * G = F F^T, F = the layer as [B, C H W]                      B images
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, 0 to 4 / B for each layer.
 *   <li><b>Gradient:</b> to the student only, also through the lengths of the rows. The row of an
 *       image of zeros has none.
 *   <li><b>Sizes:</b> channels, height and width may differ.
 *   <li><b>Numbers:</b> f32 or f64, as the inputs.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: F. Tung, G. Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, arXiv
 * 1907.09682; code HobbitLong/RepDistiller, {@code distiller_zoo/SP.py}. Weight there: 3000.
 */
public record SimilarityPreservingLoss() implements MapLoss {
  private static final String NAME = "similarity-preserving loss";

  /** The role of its layers. */
  public static final String FEATURES = "features";

  /** {@return the loss: it has no settings} */
  public static SimilarityPreservingLoss standard() {
    return new SimilarityPreservingLoss();
  }

  /** {@inheritDoc} Examples are compared with each other. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.several(FEATURES, 2, 3, 4), false);
  }

  /** {@inheritDoc} The sum over layers. */
  @Override
  public LossValue measure(LossInputs inputs) {
    return LayerInputs.sum(NAME, inputs, FEATURES, MapLoss.super::measure);
  }

  /**
   * Computes the loss of one layer.
   *
   * @param student map [B, Cs, H, W], tokens [B, N, Cs] or vectors [B, Cs], B at least 2; f32, f64,
   *     f16 or bf16
   * @param teacher the same of any channels and size; constant even if it requires grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch or device do
   *     not fit, or there is one image, whose row of length 1 has the number 1
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS).inOneType();
          long images = maps.student().map().size(0);
          ConstantLoss.refuseIf(
              images == 1,
              maps.student(),
              "has one image, which is similar to itself alone; expected a batch of 2 or more");
          Tensor gap = similarities(maps.student()).sub(similarities(maps.teacher()));
          return Rows.meanOfAll(gap.square());
        });
  }

  /** [B, B]. */
  private static Tensor similarities(MapView layer) {
    Tensor rows = layer.map().flatten(1, 3);
    return Rows.unit(rows.mm(rows.t()));
  }
}
