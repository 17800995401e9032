package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;

/**
 * Cross-entropy between the student's logits and the labels: what a student learns without a
 * teacher.
 *
 * <pre>{@code
 * L = -1/n sum over the n pixels with label y != ignoreIndex of log softmax(z)[y]
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0; a mean over all valid pixels of the batch. If there is
 *       none: loss 0, gradient 0 (LibTorch gives NaN).
 *   <li><b>NaN:</b> logits of ignored pixels may be NaN.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * @param ignoreIndex label whose pixels give no loss and no gradient, usually 255; so does -1
 */
public record CrossEntropyLoss(long ignoreIndex) implements CountingLoss {
  private static final String NAME = "cross-entropy";
  private static final String LOGITS = "logits";

  /** ATen's number for "sum of the elements". */
  private static final long SUM = 2;

  /** Leaves out the labels 255 and -1, the two customs of data sets for pixels without a class. */
  public static CrossEntropyLoss standard() {
    return new CrossEntropyLoss(255);
  }

  @Override
  public Needs needs() {
    return new Needs(
        List.of(Needs.Role.of(LOGITS, 2, 3, 4)),
        List.of(),
        Set.of(LossInputs.LABELS),
        Set.of(),
        false);
  }

  /** {@inheritDoc} Valid pixels are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    return measure(inputs.student(LOGITS), inputs.target(LossInputs.LABELS));
  }

  /**
   * Computes the loss of one batch.
   *
   * @param logits [B, K, H, W]; or [B, N, K], where each of N positions is a pixel; or [B, K],
   *     where each image is one
   * @param labels integers of any type and of the logits' shape without classes: [B, N], [B], or
   *     [B, H', W'] of any size, resized to the logits by the nearest neighbour (position h takes
   *     row floor(h H' / H)). To be scored at the size of the labels, enlarge the logits instead
   * @return scalar, f64 for f64 logits, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if K is 1, or the labels do not fit the logits, or have values
   *     other than 0 .. K-1, ignoreIndex and -1 (values are checked on the CPU only)
   */
  public Tensor forward(Tensor logits, Tensor labels) {
    return Scopes.resultOf(() -> measure(logits, labels).loss());
  }

  private LossValue measure(Tensor given, Tensor targets) {
    MapView logits = MapView.of(NAME, LOGITS, given, MapView.Accepts.VECTORS);
    ConstantLoss.refuseOneClass(logits);
    Labels labels = Labels.of(logits, targets, ignoreIndex);
    labels.requireClasses(logits.map().size(1), LOGITS);
    Tensor valid = labels.valid();
    Tensor count = valid.sum();
    Tensor sum =
        torch.cross_entropy_loss(
            widened(withoutIgnored(logits.map(), valid)),
            labels.classesOr(ignoreIndex),
            new TensorOptional(),
            SUM,
            ignoreIndex,
            0.0);
    return new LossValue(sum.div(count.clamp_min(new Scalar(1))), count);
  }

  /** Half precision becomes f32: a sum over the pixels soon exceeds the largest f16. */
  private static Tensor widened(Tensor logits) {
    return logits.to(torch.promoteTypes(logits.scalar_type(), ScalarType.Float));
  }

  /** Zeros at ignored pixels: LibTorch's derivative multiplies what is there by 0, so NaN stays. */
  private static Tensor withoutIgnored(Tensor logits, Tensor valid) {
    // A finite sum spares a copy; reading it of a device would wait for it.
    if (logits.is_cpu() && Double.isFinite(logits.detach().sum().item_double())) {
      return logits;
    }
    return torch.where(valid.unsqueeze(1), logits, new Scalar(0));
  }
}
