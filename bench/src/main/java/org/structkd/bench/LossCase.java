package org.structkd.bench;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.FeatureLoss;

/** One loss on fixed inputs, computed in one way. */
final class LossCase {
  /**
   * Largest relative error of value and gradient. How exact the kernels are is what the tests say;
   * here a fast wrong answer is kept out of the table. Eager errs by up to some 1e-4.
   */
  private static final double LIMIT = 1e-3;

  private final Tensor student;
  private final Tensor teacher;
  private final FeatureLoss timed;
  private final FeatureLoss definition;

  /**
   * A case. It keeps its inputs beyond the PointerScope they were made in.
   *
   * @param maps inputs in f32
   * @param timed what is measured
   * @param definition what the f64 reference backend computes as the truth
   */
  LossCase(CaseShape.Maps maps, FeatureLoss timed, FeatureLoss definition) {
    this.student = maps.student().set_requires_grad(true).retainReference();
    this.teacher = maps.teacher().retainReference();
    this.timed = timed;
    this.definition = definition;
  }

  /** Value and gradient, as in a training step. Reading the value waits until it is there. */
  double valueAndGradient() {
    try (PointerScope temporaries = new PointerScope()) {
      // Cleared as optimizers do by default: zeroing it and adding to it would cost two passes.
      student.mutable_grad().put(new Tensor());
      Tensor value = timed.forward(student, teacher);
      value.backward();
      return value.item_double();
    }
  }

  /** Most memory that a call holds beside inputs and gradient; NaN where the system cannot say. */
  double peakExtraMebibytes() {
    Pointer.trimMemory(); // what making the inputs left behind would be used again, uncounted
    double bytes = PeakMemory.growthDuring(this::valueAndGradient);
    return Math.max(0, bytes - student.nbytes()) / (1 << 20);
  }

  /**
   * Compares one call with the f64 reference backend.
   *
   * @param truthName names the reference result among those of this size
   * @return relative L2 error of the gradient
   * @throws IllegalStateException if value or gradient is wrong
   */
  double requireCloseToReference(String truthName) {
    double value = valueAndGradient();
    try (PointerScope temporaries = new PointerScope()) {
      Truth truth = Truth.of(truthName, definition, student, teacher);
      double valueError = Math.abs(value - truth.value()) / Math.abs(truth.value());
      Tensor gap = student.grad().to(ScalarType.Double).sub(truth.gradient());
      double gradientError = gap.norm().item_double() / truth.gradient().norm().item_double();
      if (!(valueError <= LIMIT && gradientError <= LIMIT)) { // also refuses NaN
        throw new IllegalStateException(
            "wrong result: value %.9g, expected %.9g (error %.2g), gradient error %.2g, limit %.0g"
                .formatted(value, truth.value(), valueError, gradientError, LIMIT));
      }
      return gradientError;
    }
  }
}
