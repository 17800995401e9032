package org.structkd.objective;

import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;

/**
 * The supervised term: cross-entropy between the student's logits and the labels.
 *
 * <pre>{@code
 * L = -1/n sum over the n pixels with label y != ignoreIndex of log softmax(z)[y]
 * }</pre>
 *
 * <p>In nats, at least 0; a mean over all valid pixels of the batch. If there is none: loss 0,
 * gradient 0 (LibTorch gives NaN). Logits of ignored pixels may be NaN. Immutable, may be shared.
 *
 * <p>Labels are integers of any type and of the logits' shape without classes: [B, N], [B], or [B,
 * H', W'] of any size, resized to the logits by the nearest neighbour (position h takes row floor(h
 * H' / H)). To be scored at the size of the labels, enlarge the logits instead.
 *
 * @param tap the student's output that holds logits [B, K, H, W]; or [B, N, K], where each of N
 *     positions is a pixel; or [B, K], where each image is one
 * @param ignoreIndex label whose pixels give no loss and no gradient, usually 255; so does -1
 */
public record CrossEntropy(String tap, long ignoreIndex) implements Term {
  private static final String NAME = "cross-entropy";

  /** ATen's number for "sum of the elements". */
  private static final long SUM = 2;

  /** Checks that there is a tap. */
  public CrossEntropy {
    if (tap == null) {
      throw new IllegalArgumentException(NAME + ": tap is null");
    }
  }

  @Override
  public Taps taps() {
    return new Taps(Set.of(tap), Set.of());
  }

  /**
   * Computes the term.
   *
   * @throws IllegalArgumentException if K is 1, the step has no labels, or they do not fit the
   *     logits, or have values other than 0 .. K-1, ignoreIndex and -1 (values are checked on the
   *     CPU only)
   */
  @Override
  public Tensor compute(StepInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }

  /** {@inheritDoc} Valid pixels are counted. */
  @Override
  public TermLoss measure(StepInputs inputs) {
    MapView logits = MapView.of(NAME, tap, inputs.student(tap), MapView.Accepts.VECTORS);
    ConstantLoss.refuseOneClass(logits);
    Labels labels = Labels.of(logits, inputs.requireLabels(), ignoreIndex);
    labels.requireClasses(logits.map().size(1), tap);
    Tensor valid = labels.valid();
    Tensor count = valid.sum();
    Tensor sum =
        torch.cross_entropy_loss(
            withoutIgnored(logits.map(), valid),
            labels.classesOr(ignoreIndex),
            new TensorOptional(),
            SUM,
            ignoreIndex,
            0.0);
    return new TermLoss(sum.div(count.clamp_min(new Scalar(1))), count);
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
