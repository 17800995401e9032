package org.structkd.loss;

import java.util.List;
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
 * @param toward name of the batch's target, such as {@code ratings}, or {@link #TEACHER}
 */
public record SquaredErrorLoss(String toward) implements Loss {
  private static final String NAME = "squared error";

  /** The role of its outputs. */
  public static final String PREDICTION = "prediction";

  /** Pulls predictions towards those of the teacher. */
  public static final String TEACHER = "teacher";

  /** Checks that there is a name. */
  public SquaredErrorLoss {
    if (toward == null || toward.isBlank()) {
      throw new IllegalArgumentException(
          NAME + ": toward is " + toward + ", expected the name of a target, or " + TEACHER);
    }
  }

  /** {@return the error to what the teacher predicts} */
  public static SquaredErrorLoss toTeacher() {
    return new SquaredErrorLoss(TEACHER);
  }

  /** {@return the error to the target "ratings" of the batch} */
  public static SquaredErrorLoss toRatings() {
    return new SquaredErrorLoss("ratings");
  }

  @Override
  public Needs needs() {
    Needs.Role prediction = Needs.Role.of(PREDICTION);
    return toward.equals(TEACHER)
        ? Needs.pair(prediction, false)
        : new Needs(List.of(prediction), List.of(), Set.of(toward), Set.of(), false);
  }

  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }

  /** {@inheritDoc} Elements are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    boolean ofTeacher = toward.equals(TEACHER);
    Tensor student = inputs.student(PREDICTION);
    Tensor wanted = ofTeacher ? inputs.teacher(PREDICTION) : inputs.target(toward);
    return new LossValue(
        ofTeacher ? forward(student, wanted) : error(student, toward, wanted),
        Tensor.create(new long[] {student.numel()}));
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student predictions of any shape; f32, f64, f16 or bf16
   * @param teacher what they should be, of the same shape and on the same device; constant even if
   *     it requires grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if shapes or devices differ
   */
  public Tensor forward(@Nullable Tensor student, @Nullable Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          TensorArguments.requireOpen(NAME, TEACHER, teacher);
          TensorArguments.requireNumbers(NAME, TEACHER, teacher);
          return error(student, TEACHER, teacher);
        });
  }

  /** A target does not widen the value: it has the type that its data set gave it. */
  private static Tensor error(@Nullable Tensor student, String name, @Nullable Tensor wanted) {
    TensorArguments.requireOpen(NAME, "student", student);
    TensorArguments.requireOpen(NAME, name, wanted);
    TensorArguments.requireNumbers(NAME, "student", student);
    TensorArguments.requireSameShape(NAME, "student", student, name, wanted);
    TensorArguments.requireSameDevice(NAME, "student", student, name, wanted);
    boolean isDouble =
        student.scalar_type().intern() == ScalarType.Double
            || (name.equals(TEACHER) && wanted.scalar_type().intern() == ScalarType.Double);
    ScalarType type = isDouble ? ScalarType.Double : ScalarType.Float;
    return torch.mse_loss(student.to(type), wanted.detach().to(type));
  }
}
