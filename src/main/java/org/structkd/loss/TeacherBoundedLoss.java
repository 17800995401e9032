package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Teacher-bounded regression: the student's squared error to the truth counts until it is smaller
 * than the teacher's by a margin.
 *
 * <pre>{@code
 * L   = 1/B sum_b (e_S[b] where e_S[b] + margin > e_T[b], else 0)
 * e[b] = sum over all numbers of example b of (prediction - truth)^2
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in the square of the predictions' unit, at least 0; a sum over the steps and
 *       coordinates of an example, a mean over examples.
 *   <li><b>Gradient:</b> 2 (s - y) / B to the student where the example counts; the teacher only
 *       decides where.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: G. Chen et al., "Learning Efficient Object Detection Models with Knowledge
 * Distillation", NIPS 2017. Used beside a smooth L1 error to the truth, with the weight 0.5.
 *
 * @param toward name of the batch's target that holds the truth
 * @param margin by which the student must beat the teacher, at least 0, in the square of the
 *     predictions' unit
 */
public record TeacherBoundedLoss(String toward, double margin) implements CountingLoss {
  private static final String NAME = "teacher-bounded loss";

  /** The role of its outputs. */
  public static final String PREDICTION = "prediction";

  /** Checks the settings. */
  public TeacherBoundedLoss {
    if (toward == null || toward.isBlank()) {
      throw new IllegalArgumentException(
          NAME + ": toward is " + toward + ", expected the name of a target");
    }
    Settings.requireAtLeast(NAME, "margin", margin, 0);
  }

  /**
   * {@return the bound of the target "trajectories": the student shall be as good as the teacher}
   */
  public static TeacherBoundedLoss trajectories() {
    return new TeacherBoundedLoss("trajectories", 0);
  }

  @Override
  public Needs needs() {
    List<Needs.Role> prediction = List.of(Needs.Role.of(PREDICTION));
    return new Needs(prediction, prediction, Set.of(toward), Set.of(), false);
  }

  /** {@inheritDoc} Examples whose error counts are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    return measure(inputs.student(PREDICTION), inputs.teacher(PREDICTION), inputs.target(toward));
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student predictions [B, ...], such as trajectories [B, steps, 2]; f32, f64, f16 or bf16
   * @param teacher the teacher's, of the same shape
   * @param truth what they should be, of the same shape
   * @return scalar, f64 if either prediction is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if shapes or devices differ
   */
  public Tensor forward(Tensor student, Tensor teacher, Tensor truth) {
    return Scopes.resultOf(() -> measure(student, teacher, truth).loss());
  }

  private LossValue measure(Tensor student, Tensor teacher, Tensor truth) {
    TensorArguments.requireOpen(NAME, "student", student);
    TensorArguments.requireNumbers(NAME, "student", student);
    TensorArguments.requireOpen(NAME, "teacher", teacher);
    TensorArguments.requireNumbers(NAME, "teacher", teacher);
    TensorArguments.requireOpen(NAME, toward, truth);
    requireLike(student, "teacher", teacher);
    requireLike(student, toward, truth);
    ScalarType type =
        torch.promoteTypes(
            torch.promoteTypes(student.scalar_type(), teacher.scalar_type()), ScalarType.Float);
    Tensor y = truth.detach().to(type);
    Tensor ofStudent = errors(student.to(type), y);
    Tensor ofTeacher = errors(teacher.detach().to(type), y);
    // Where it is NaN, nothing is beaten: the student's error must show.
    Tensor beaten = ofStudent.detach().add(new Scalar(margin)).le(ofTeacher);
    return new LossValue(
        Rows.meanOfAll(ofStudent.masked_fill(beaten, new Scalar(0))), beaten.logical_not().sum());
  }

  private static void requireLike(Tensor student, String name, Tensor other) {
    TensorArguments.requireSameShape(NAME, "student", student, name, other);
    TensorArguments.requireSameDevice(NAME, "student", student, name, other);
  }

  private static Tensor errors(Tensor prediction, Tensor truth) {
    return Rows.sum(prediction.sub(truth).square().reshape(prediction.size(0), -1));
  }
}
