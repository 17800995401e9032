package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Regression: the distance of predicted numbers to a target of the batch or to what the teacher
 * predicts, over the elements that are valid.
 *
 * <ul>
 *   <li><b>Value:</b> a mean over the valid elements of the batch, see {@link Distance}, at least
 *       0; its unit is the predictions', its square, or none for logarithms. If nothing is valid:
 *       loss 0, gradient 0.
 *   <li><b>Gradient:</b> to the student only, 0 at elements that are not valid, where predictions
 *       may be NaN.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * @param toward name of the batch's target, such as {@code ratings}, or {@link #TEACHER}
 * @param distance how far numbers are apart
 * @param valid which elements take part, by what they should be
 */
public record RegressionLoss(String toward, Distance distance, Valid valid)
    implements CountingLoss {
  private static final String NAME = "regression";

  /** The role of its outputs. */
  public static final String PREDICTION = "prediction";

  /** Pulls predictions towards those of the teacher. */
  public static final String TEACHER = "teacher";

  /** Which elements take part, told by what they should be. */
  public sealed interface Valid {
    /** All: what is NaN makes the loss NaN. */
    record All() implements Valid {}

    /** Those that are finite. */
    record Finite() implements Valid {}

    /** Those that are finite and greater than 0, such as measured depths. */
    record Positive() implements Valid {}

    /**
     * Those that are finite and not a mark of what is missing.
     *
     * @param value the mark, a finite number such as -1
     */
    record Except(double value) implements Valid {
      /** Checks the number. */
      public Except {
        if (!Double.isFinite(value)) {
          throw new IllegalArgumentException(
              NAME + ": the value of what is missing is " + value + ", expected a finite number");
        }
      }
    }
  }

  /** Checks the settings. */
  public RegressionLoss {
    if (toward == null || toward.isBlank()) {
      throw new IllegalArgumentException(
          NAME + ": toward is " + toward + ", expected the name of a target, or " + TEACHER);
    }
    Settings.requireGiven(NAME, "distance", distance);
    Settings.requireGiven(NAME, "valid", valid);
  }

  /** {@return the mean squared error to what the teacher predicts} */
  public static RegressionLoss toTeacher() {
    return new RegressionLoss(TEACHER, new Distance.Squared(), new Valid.All());
  }

  /** {@return the mean squared error to the target "ratings" of the batch} */
  public static RegressionLoss toRatings() {
    return new RegressionLoss("ratings", new Distance.Squared(), new Valid.All());
  }

  /** {@return the mean absolute error to the teacher where that is finite} */
  public static RegressionLoss absolute() {
    return new RegressionLoss(TEACHER, new Distance.Absolute(), new Valid.Finite());
  }

  /** {@return the smooth L1 error to the teacher where that is finite} */
  public static RegressionLoss smooth() {
    return new RegressionLoss(TEACHER, new Distance.Smooth(), new Valid.Finite());
  }

  /** {@return the reversed Huber loss to the teacher where that is finite} */
  public static RegressionLoss berhu() {
    return new RegressionLoss(TEACHER, new Distance.Berhu(), new Valid.Finite());
  }

  /** {@return the mean absolute error of logarithms to the teacher where that is above 0} */
  public static RegressionLoss logAbsolute() {
    return new RegressionLoss(TEACHER, new Distance.LogAbsolute(), new Valid.Positive());
  }

  /** {@return the scale-invariant error of logarithms to the teacher where that is above 0} */
  public static RegressionLoss scaleInvariantLog() {
    return new RegressionLoss(TEACHER, new Distance.ScaleInvariantLog(), new Valid.Positive());
  }

  private boolean isToTeacher() {
    return toward.equals(TEACHER);
  }

  /** {@inheritDoc} The threshold of {@link Distance.Berhu} is that of a batch. */
  @Override
  public OverExamples overExamples() {
    return !(distance instanceof Distance.Berhu) ? OverExamples.MEAN : OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    Needs.Role prediction = Needs.Role.of(PREDICTION);
    Needs needs =
        isToTeacher()
            ? Needs.pair(prediction, false)
            : new Needs(List.of(prediction), List.of(), Set.of(toward), Set.of(), false);
    Needs.Form positive = Needs.Form.of(Needs.Values.POSITIVE);
    return distance.isOfLogarithms()
        ? needs.with(PREDICTION, positive).with(toward, positive)
        : needs;
  }

  /** {@inheritDoc} Valid elements are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    Tensor student = inputs.student(PREDICTION);
    return isToTeacher()
        ? measure(student, TEACHER, inputs.teacher(PREDICTION))
        : measure(student, toward, inputs.target(toward));
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
    return Scopes.resultOf(() -> measure(student, TEACHER, teacher).loss());
  }

  /** A target does not widen the value: it has the type that its data set gave it. */
  private LossValue measure(@Nullable Tensor student, String name, @Nullable Tensor wanted) {
    TensorArguments.requireOpen(NAME, "student", student);
    TensorArguments.requireOpen(NAME, name, wanted);
    TensorArguments.requireNumbers(NAME, "student", student);
    if (name.equals(TEACHER)) {
      TensorArguments.requireNumbers(NAME, TEACHER, wanted);
    }
    TensorArguments.requireSameShape(NAME, "student", student, name, wanted);
    TensorArguments.requireSameDevice(NAME, "student", student, name, wanted);
    ScalarType own = torch.promoteTypes(student.scalar_type(), ScalarType.Float);
    ScalarType type = name.equals(TEACHER) ? torch.promoteTypes(own, wanted.scalar_type()) : own;
    Tensor y = wanted.detach();
    Tensor taken = taken(y);
    Scalar neutral = new Scalar(distance.isOfLogarithms() ? 1 : 0);
    return new LossValue(
        mean(
            torch.where(taken, student.to(type), neutral),
            torch.where(taken, y.to(type), neutral),
            taken),
        taken.sum());
  }

  private Tensor taken(Tensor y) {
    if (valid instanceof Valid.All) {
      return torch.ones_like(y).to(ScalarType.Bool);
    }
    Tensor finite = y.isfinite();
    if (valid instanceof Valid.Positive) {
      return finite.logical_and(y.gt(new Scalar(0)));
    }
    return valid instanceof Valid.Except except
        ? finite.logical_and(y.ne(new Scalar(except.value())))
        : finite;
  }

  /** Elements that do not take part are at distance 0. */
  private Tensor mean(Tensor s, Tensor y, Tensor taken) {
    Tensor d = distance.isOfLogarithms() ? s.log().sub(y.log()) : s.sub(y);
    if (distance instanceof Distance.ScaleInvariantLog log) {
      return scaleInvariant(d, taken, log.share());
    }
    return Rows.sumOfAll(distances(d)).div(taken.sum().clamp_min(new Scalar(1)));
  }

  private Tensor distances(Tensor d) {
    if (distance instanceof Distance.Squared) {
      return d.square();
    }
    Tensor size = d.abs();
    if (distance instanceof Distance.Smooth smooth) {
      Scalar beta = new Scalar(smooth.beta());
      Tensor parabola = d.square().div(new Scalar(2 * smooth.beta()));
      return torch.where(size.lt(beta), parabola, size.sub(new Scalar(smooth.beta() / 2)));
    }
    if (distance instanceof Distance.Berhu berhu) {
      Tensor c = size.detach().max().mul(new Scalar(berhu.share()));
      c = torch.where(c.eq(new Scalar(0)), new Scalar(1), c); // nothing is apart
      Tensor parabola = d.square().add(c.square()).div(c.mul(new Scalar(2)));
      return torch.where(size.le(c), size, parabola);
    }
    return size;
  }

  /** Images in which nothing takes part are not counted. */
  private static Tensor scaleInvariant(Tensor d, Tensor taken, double share) {
    long images = d.dim() == 0 ? 1 : d.size(0);
    Tensor rows = d.reshape(images, -1);
    Tensor counts = taken.reshape(images, -1).sum(1);
    Tensor divisors = counts.clamp_min(new Scalar(1));
    Tensor mean = Rows.sum(rows).div(divisors);
    Tensor ofSquares = Rows.sum(rows.square()).div(divisors);
    Tensor sum = Rows.sumOfAll(ofSquares.sub(mean.square().mul(new Scalar(share))));
    return sum.div(counts.gt(new Scalar(0)).sum().clamp_min(new Scalar(1)));
  }
}
