package org.structkd.objective;

import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Labels;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;
import org.structkd.loss.FeatureLoss;

/**
 * A loss between an output of the student and one of the teacher, see {@link Term#of(FeatureLoss,
 * String)}. Immutable, may be shared.
 *
 * @param loss between the two
 * @param studentTap the student's output
 * @param teacherTap the teacher's output
 * @param resizesTeacher whether the teacher's map is brought to the student's height and width
 * @param ignoreIndex the label of positions that take no part; empty: all do
 */
public record FeatureTerm(
    FeatureLoss loss,
    String studentTap,
    String teacherTap,
    boolean resizesTeacher,
    OptionalLong ignoreIndex)
    implements Term {
  /** Checks that all is given. */
  public FeatureTerm {
    if (loss == null || studentTap == null || teacherTap == null || ignoreIndex == null) {
      throw new IllegalArgumentException(
          "a term needs a loss and two taps, given: loss "
              + loss
              + ", student's tap "
              + studentTap
              + ", teacher's tap "
              + teacherTap
              + ", ignoreIndex "
              + ignoreIndex);
    }
  }

  /**
   * The same with the teacher's map [B, C, h, w] brought to the student's height and width first:
   * bilinear, corners not aligned, as in {@code interpolate(mode="bilinear", align_corners=False)}.
   * Maps of equal size stay as they are, bit for bit.
   */
  public FeatureTerm withTeacherResized() {
    return new FeatureTerm(loss, studentTap, teacherTap, true, ignoreIndex);
  }

  /**
   * The same over the labelled positions: where the step's label is this one, usually 255, or -1, a
   * position takes no part. Labels are of any integer type and size; the loss says how it leaves
   * positions out, and refuses if it cannot.
   *
   * @param label of positions that take no part
   */
  public FeatureTerm withIgnoreIndex(long label) {
    return new FeatureTerm(loss, studentTap, teacherTap, resizesTeacher, OptionalLong.of(label));
  }

  @Override
  public Taps taps() {
    return Taps.of(studentTap, teacherTap);
  }

  @Override
  public Tensor compute(StepInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }

  /**
   * {@inheritDoc} Positions of the student's map are counted, those with a label where asked for.
   */
  @Override
  public TermLoss measure(StepInputs inputs) {
    Tensor student = inputs.student(studentTap);
    Tensor given = inputs.teacher(teacherTap);
    Tensor teacher = resizesTeacher ? TeacherSize.of(given, student) : given;
    if (ignoreIndex.isEmpty()) {
      return new TermLoss(loss.forward(student, teacher), positions(student));
    }
    long label = ignoreIndex.getAsLong();
    Tensor labels = inputs.requireLabels();
    Tensor value = loss.forward(student, teacher, labels, label);
    MapView map = MapView.of(studentTap, "student", student, MapView.Accepts.VECTORS);
    return new TermLoss(value, Labels.of(map, labels, label).valid().sum());
  }

  /** Counts positions of maps, tokens and vectors; what else a loss may take is not counted. */
  private static @Nullable Tensor positions(Tensor student) {
    if (student.dim() < 2 || student.dim() > 4) {
      return null;
    }
    long channels = student.size(student.dim() == 3 ? 2 : 1);
    return Tensor.create(new long[] {student.numel() / Math.max(1, channels)});
  }
}
