package org.structkd.loss;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

/**
 * Mean squared error of predicted numbers, to a target of the batch or to what the teacher
 * predicts.
 *
 * <pre>{@code
 * L = mean over all elements of (s - y)^2      y: the target, or the teacher's prediction
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in the square of the predictions' unit, at least 0.
 *   <li><b>Gradient:</b> 2 (s - y) / elements, to the student only.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * @param target name of the batch's target, such as {@code ratings}; empty: the teacher
 */
public record SquaredErrorLoss(Optional<String> target) implements Loss {
  private static final String NAME = "squared error";

  /** The role of its outputs. */
  public static final String PREDICTION = "prediction";

  /** Checks that there is a name or none. */
  public SquaredErrorLoss {
    if (target == null || target.map(String::isBlank).orElse(false)) {
      throw new IllegalArgumentException(
          NAME + ": target is " + target + ", expected the name of a target, or empty");
    }
  }

  /** {@return the error to what the teacher predicts} */
  public static SquaredErrorLoss toTeacher() {
    return new SquaredErrorLoss(Optional.empty());
  }

  /** {@return the error to the target "ratings" of the batch} */
  public static SquaredErrorLoss toRatings() {
    return new SquaredErrorLoss(Optional.of("ratings"));
  }

  @Override
  public Needs needs() {
    Needs.Role prediction = Needs.Role.of(PREDICTION);
    return target
        .map(name -> new Needs(List.of(prediction), List.of(), Set.of(name), Set.of(), false))
        .orElse(Needs.pair(prediction, false));
  }

  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }

  /** {@inheritDoc} Elements are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    Tensor wanted = target.isPresent() ? inputs.target(target.get()) : inputs.teacher(PREDICTION);
    Tensor student = inputs.student(PREDICTION);
    return new LossValue(forward(student, wanted), Tensor.create(new long[] {student.numel()}));
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student predictions of any shape; f32, f64, f16 or bf16
   * @param wanted what they should be, of the same shape and on the same device; any type of
   *     number; constant even if it requires grad
   * @return scalar, f64 for f64 predictions, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if shapes or devices differ
   */
  public Tensor forward(@Nullable Tensor student, @Nullable Tensor wanted) {
    return Scopes.resultOf(
        () -> {
          TensorArguments.requireOpen(NAME, PREDICTION, student);
          TensorArguments.requireOpen(NAME, "wanted", wanted);
          TensorArguments.requireNumbers(NAME, PREDICTION, student);
          TensorArguments.requireSameShape(NAME, PREDICTION, student, "wanted", wanted);
          TensorArguments.requireSameDevice(NAME, PREDICTION, student, "wanted", wanted);
          ScalarType type =
              student.scalar_type().intern() == ScalarType.Double
                  ? ScalarType.Double
                  : ScalarType.Float;
          return torch.mse_loss(student.to(type), wanted.detach().to(type));
        });
  }
}
