package org.structkd.objective;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Scopes;
import org.structkd.loss.GlobalStructuralLoss;

/**
 * The global structural loss between features of both networks, at pixels that are drawn by the
 * step's labels among those that the teacher gets right. Immutable, may be shared.
 *
 * @param loss whose sampling needs logits and labels; its ignoreIndex says which pixels have no
 *     class
 * @param tap features of student and teacher
 * @param teacherLogits the teacher's output of logits, at the size of its features
 * @param resizesTeacher whether the teacher's maps are brought to the student's height and width
 */
public record StructuralTerm(
    GlobalStructuralLoss loss, String tap, String teacherLogits, boolean resizesTeacher)
    implements Term {
  /** Checks that all is given. */
  public StructuralTerm {
    if (loss == null || tap == null || teacherLogits == null) {
      throw new IllegalArgumentException(
          "a structural term needs a loss and two taps, given: loss "
              + loss
              + ", tap "
              + tap
              + ", teacherLogits "
              + teacherLogits);
    }
  }

  /** The same with the teacher's maps resized first, as by {@link FeatureTerm}. */
  public StructuralTerm withTeacherResized() {
    return new StructuralTerm(loss, tap, teacherLogits, true);
  }

  @Override
  public Taps taps() {
    return new Taps(Set.of(tap), Set.copyOf(List.of(tap, teacherLogits)));
  }

  @Override
  public Tensor compute(StepInputs inputs) {
    Tensor student = inputs.student(tap);
    return Scopes.resultOf(
        () ->
            loss.forward(
                student,
                fitted(inputs.teacher(tap), student),
                fitted(inputs.teacher(teacherLogits), student),
                inputs.requireLabels(),
                inputs.step()));
  }

  private Tensor fitted(Tensor teacher, Tensor student) {
    return resizesTeacher ? TeacherSize.of(teacher, student) : teacher;
  }
}
