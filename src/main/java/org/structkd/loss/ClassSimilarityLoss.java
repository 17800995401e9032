package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Class similarity loss (CSD of DSD): where the teacher sees two classes at the same places, the
 * student shall.
 *
 * <pre>{@code
 * L = 1/(B K^2) sum over images sum_ij (A_S[i,j] - A_T[i,j])^2
 * A = P P^T, P[k] = softmax over the positions of the pooled map of class k, logits / temperature
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, 0 to 1.
 *   <li><b>Gradient:</b> to the student only.
 *   <li><b>Sizes:</b> classes must agree, height and width may differ.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: Y. Feng et al., "Double Similarity Distillation for Semantic Image Segmentation", IEEE
 * TIP 2021; code CIRKD dab64db, {@code losses/dsd.py}. Weight there: 10. Its other part is {@code
 * pixel_similarity}.
 *
 * @param pooling of the logits before the softmax
 * @param temperature divisor of all logits, greater than 0; the loss is not multiplied by it again
 */
public record ClassSimilarityLoss(Pooling pooling, double temperature) implements MapLoss {
  private static final String NAME = "class similarity loss";

  /** The role of its outputs. */
  public static final String LOGITS = "logits";

  /** Checks the settings. */
  public ClassSimilarityLoss {
    Settings.requireGiven(NAME, "pooling", pooling);
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /** {@return CIRKD's form: means over windows of 2 x 2, temperature 4} */
  public static ClassSimilarityLoss cirkd() {
    return new ClassSimilarityLoss(Pooling.average(2, 2), 4);
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(LOGITS, 4), false);
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student logits [B, K, H, W]; f32, f64, f16 or bf16
   * @param teacher logits of the same classes, of any size; constant even if it requires grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch, classes or
   *     device do not fit, or one position is left by pooling, whose softmax is 1
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair maps =
              MapPair.of(NAME, student, teacher, MapView.Accepts.MAPS)
                  .requireSameChannels()
                  .inOneType();
          Tensor s = pooling.apply(maps.student().map()).flatten(2, 3);
          Tensor t = pooling.apply(maps.teacher().map()).flatten(2, 3);
          ConstantLoss.refuseIf(
              s.size(2) == 1,
              maps.student(),
              "has one position after pooling, and a softmax over it is 1; expected a larger map, or"
                  + " a smaller window");
          return Rows.meanOfAll(similarities(s).sub(similarities(t)).square());
        });
  }

  /** [B, K, K]. */
  private Tensor similarities(Tensor logits) {
    Tensor places = torch.softmax(logits.div(new Scalar(temperature)), 2);
    return places.bmm(places.transpose(1, 2));
  }
}
