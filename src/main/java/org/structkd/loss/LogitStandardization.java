package org.structkd.loss;

import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.MapPair;
import org.structkd.internal.Rows;

/**
 * Standardisation of logits: those of a pixel have mean 0 and deviation 1 afterwards, so that a
 * student is asked for the teacher's order of classes and not for its scale.
 *
 * <pre>{@code
 * (z - mean z) / (deviation of z + 1e-7)      over classes; the deviation divides by K - 1
 * }</pre>
 *
 * <p>The gradient flows through mean and deviation. Equal logits become 0 and have gradient 0
 * through the deviation.
 *
 * <p>Source: S. Sun et al., "Logit Standardization in Knowledge Distillation", CVPR 2024, arXiv
 * 2403.01427; code sunshangquan/logit-standardization-KD.
 */
final class LogitStandardization {
  private static final double EPS = 1e-7;

  private LogitStandardization() {}

  /**
   * {@return both maps standardised, in one type}
   *
   * @param mask [B, H, W], 0 or false where a pixel takes no part, whose logits may be anything;
   *     null: all do
   */
  static MapPair of(MapPair maps, @Nullable Tensor mask) {
    UnaryOperator<Tensor> standardized =
        map ->
            of(
                mask == null
                    ? map
                    : map.masked_fill(mask.eq(new Scalar(0)).unsqueeze(1), new Scalar(0)));
    MapPair same = maps.inOneType();
    return new MapPair(same.student().made(standardized), same.teacher().made(standardized));
  }

  /** {@return standardised logits of a map [B, K, H, W] of f32 or f64, K at least 2} */
  static Tensor of(Tensor logits) {
    return Rows.standardized(logits.movedim(1, -1), EPS).movedim(-1, 1);
  }
}
