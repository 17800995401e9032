package org.structkd.objective;

import org.bytedeco.pytorch.Tensor;
import org.structkd.loss.FeatureLoss;

/**
 * One loss of an {@link Objective}, reading what it needs from a step. Implementations are pure
 * functions of their inputs and safe to share.
 *
 * <pre>{@code
 * Term pairwise = Term.of(new PairwiseLoss(PairwiseLoss.Config.skdReleased()), "features");
 * Term masked = inputs -> interClass.forward(
 *     inputs.student("logits"), inputs.teacher("logits"), inputs.requireLabels().ne(new Scalar(255)));
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
      public Taps taps() {
        return taps;
      }
    };
  }

  /** A loss between the tap of this name of both networks. */
  static Term of(FeatureLoss loss, String tap) {
    return of(loss, tap, tap);
  }

  /** A loss between a tap of the student and one of the teacher. */
  static Term of(FeatureLoss loss, String studentTap, String teacherTap) {
    Term term = inputs -> loss.forward(inputs.student(studentTap), inputs.teacher(teacherTap));
    return term.reading(Taps.of(studentTap, teacherTap));
  }
}
