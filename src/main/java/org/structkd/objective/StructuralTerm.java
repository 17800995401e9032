package org.structkd.objective;

import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Scopes;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.GlobalStructuralSamples;
import org.structkd.loss.Sampling;

/**
 * The global structural loss between features of both networks, at pixels that are drawn by the
 * step's labels, where there are some, among those that the teacher gets right, where its sampling
 * asks for that. Immutable, may be shared.
 *
 * @param loss whose sampling says what is read; its ignoreIndex says which pixels have no class
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
    Taps features = Taps.of(tap, tap);
    return teacherMustBeRight()
        ? features.and(new Taps(Set.of(), Set.of(teacherLogits)))
        : features;
  }

  private boolean teacherMustBeRight() {
    return loss.config().sampling().teacherCorrectOnly();
  }

  private boolean needsLabels() {
    return teacherMustBeRight() || loss.config().sampling().strategy() == Sampling.CLASS_BALANCED;
  }

  @Override
  public Tensor compute(StepInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }

  /** {@inheritDoc} Samples are counted. */
  @Override
  public TermLoss measure(StepInputs inputs) {
    Tensor student = inputs.student(tap);
    Tensor teacher = fitted(inputs.teacher(tap), student);
    @Nullable Tensor logits =
        teacherMustBeRight() ? fitted(inputs.teacher(teacherLogits), student) : null;
    @Nullable Tensor labels = needsLabels() ? inputs.requireLabels() : inputs.labels();
    GlobalStructuralSamples samples = loss.sample(teacher, logits, labels, inputs.step());
    Tensor value = loss.forwardAt(student, teacher, samples, null, inputs.step());
    return new TermLoss(value, samples.counts().select(1, 0).sum());
  }

  private Tensor fitted(Tensor teacher, Tensor student) {
    return resizesTeacher ? TeacherSize.of(teacher, student) : teacher;
  }
}
