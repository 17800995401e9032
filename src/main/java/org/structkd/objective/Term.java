package org.structkd.objective;

import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.structkd.loss.FeatureLoss;
import org.structkd.loss.GlobalStructuralLoss;

/**
 * One loss of an {@link Objective}, reading what it needs from a step. Implementations are pure
 * functions of their inputs and safe to share. A checkpoint keeps what {@code toString} says, so
 * that a training does not continue with other settings unnoticed: records say enough, a lambda
 * says only where it was written.
 *
 * <pre>{@code
 * Term pairwise = Term.of(new PairwiseLoss(PairwiseLoss.Config.skdReleased()), "features");
 * Term masked = Term.of(pixelwise, "logits").withTeacherResized().withIgnoreIndex(255);
 * Term structural = Term.of(new GlobalStructuralLoss(config), "features", "logits");
 * Term own = inputs -> inputs.student("features").square().mean();
 * }</pre>
 */
@FunctionalInterface
public interface Term {
  /**
   * Computes the raw loss, without a weight.
   *
   * @param inputs of one step
   * @return a scalar with a grad_fn; temporaries are released by the {@link Objective}
   */
  Tensor compute(StepInputs inputs);

  /**
   * The same with a count of what took part, by which a loss of 0 is explained. Overridden by terms
   * that count; others need not care.
   */
  default TermLoss measure(StepInputs inputs) {
    return new TermLoss(compute(inputs), null);
  }

  /** What it reads, for checks before training; {@link Taps#NONE} if it does not say. */
  default Taps taps() {
    return Taps.NONE;
  }

  /** The same term, saying what it reads. */
  default Term reading(Taps taps) {
    Term term = this;
    return new Term() {
      @Override
      public Tensor compute(StepInputs inputs) {
        return term.compute(inputs);
      }

      @Override
      public TermLoss measure(StepInputs inputs) {
        return term.measure(inputs);
      }

      @Override
      public Taps taps() {
        return taps;
      }

      @Override
      public String toString() {
        return term.toString();
      }
    };
  }

  /** A loss between the tap of this name of both networks. */
  static FeatureTerm of(FeatureLoss loss, String tap) {
    return of(loss, tap, tap);
  }

  /** A loss between a tap of the student and one of the teacher. */
  static FeatureTerm of(FeatureLoss loss, String studentTap, String teacherTap) {
    return new FeatureTerm(loss, studentTap, teacherTap, false, OptionalLong.empty());
  }

  /**
   * The global structural loss between the tap of this name of both networks; its pixels are drawn
   * by the step's labels, among those that the teacher gets right.
   *
   * @param loss whose sampling needs both; its ignoreIndex says which pixels have no class
   * @param tap features of student and teacher
   * @param teacherLogits the teacher's tap of logits at the size of its features
   */
  static StructuralTerm of(GlobalStructuralLoss loss, String tap, String teacherLogits) {
    return new StructuralTerm(loss, tap, teacherLogits, false);
  }
}
