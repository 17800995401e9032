package org.structkd.objective;

import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * The supervised term: cross-entropy between the student's logits and the labels.
 *
 * <pre>{@code
 * L = -1/n sum over the n pixels with label y != ignoreIndex of log softmax(z)[y]
 * }</pre>
 *
 * <p>In nats, at least 0; a mean over all valid pixels of the batch. If there is none: loss 0,
 * gradient 0 (LibTorch gives NaN). Immutable, may be shared.
 *
 * @param tap the student's output that holds logits [B, K, H, W]
 * @param ignoreIndex label whose pixels give no loss and no gradient; one that does not occur, such
 *     as -1, if all count
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
   * @throws IllegalArgumentException if the step has no labels, or they are not i64 [B, H, W] of
   *     the logits' size with values in 0 .. K-1 or ignoreIndex (values are checked on the CPU
   *     only)
   */
  @Override
  public Tensor compute(StepInputs inputs) {
    Tensor logits = inputs.student(tap);
    Tensor labels = inputs.requireLabels();
    TensorArguments.requireMap(NAME, tap, logits);
    TensorArguments.requireOpen(NAME, "labels", labels);
    if (labels.scalar_type().intern() != ScalarType.Long) {
      throw new IllegalArgumentException(
          NAME + ": labels are " + labels.scalar_type().intern() + ", expected Long");
    }
    TensorArguments.requirePlane(NAME, "labels", labels, tap, logits);
    return Scopes.resultOf(
        () -> {
          Tensor valid = labels.ne(new Scalar(ignoreIndex));
          requireClasses(labels, valid, logits.size(1));
          Tensor sum =
              torch.cross_entropy_loss(logits, labels, new TensorOptional(), SUM, ignoreIndex, 0.0);
          return sum.div(valid.sum().clamp_min(new Scalar(1)));
        });
  }

  private void requireClasses(Tensor labels, Tensor valid, long classes) {
    if (!labels.is_cpu()) {
      return; // reading would wait for the device
    }
    // Ignored pixels count as class 0 here.
    Tensor counted = labels.mul(valid);
    long smallest = counted.min().item_long();
    long largest = counted.max().item_long();
    if (smallest < 0 || largest >= classes) {
      throw new IllegalArgumentException(
          NAME
              + ": labels have values from "
              + smallest
              + " to "
              + largest
              + ", expected 0 to "
              + (classes - 1)
              + " or the ignore index "
              + ignoreIndex);
    }
  }
}
