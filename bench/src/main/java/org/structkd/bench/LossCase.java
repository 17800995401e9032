package org.structkd.bench;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
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

  /** The same case with its inputs in the memory of a device. */
  LossCase on(Device device) {
    try (PointerScope temporaries = new PointerScope()) {
      ScalarType dtype = student.scalar_type();
      CaseShape.Maps maps =
          new CaseShape.Maps(student.detach().to(device, dtype), teacher.to(device, dtype));
      return new LossCase(maps, timed, definition);
    }
  }

  /** Value and gradient, as in a training step. Reading the value waits until it is there. */
  double valueAndGradient() {
    try (PointerScope temporaries = new PointerScope()) {
      return forwardAndBackward().item_double();
    }
  }

  /** The same without waiting: on a GPU this only enqueues. */
  void enqueue() {
    try (PointerScope temporaries = new PointerScope()) {
      forwardAndBackward();
    }
  }

  private Tensor forwardAndBackward() {
    // Cleared as optimizers do by default: zeroing it and adding to it would cost two passes.
    student.mutable_grad().put(new Tensor());
    Tensor value = timed.forward(student, teacher);
    value.backward();
    return value;
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
      return requireClose(value, Truth.of(truthName, definition, student, teacher), LIMIT);
    }
  }

  /**
   * Compares one call on a device with the CPU backend in f64: the reference's plain loops would
   * take hours at a GPU's sizes.
   *
   * @param limit largest relative error of value and gradient
   * @return relative L2 error of the gradient
   * @throws IllegalStateException if value or gradient is wrong
   */
  double requireCloseToCpu(double limit) {
    double value = valueAndGradient();
    try (PointerScope temporaries = new PointerScope()) {
      return requireClose(value, Truth.onCpu(definition, student, teacher), limit);
    }
  }

  private double requireClose(double value, Truth truth, double limit) {
    double valueError = Math.abs(value - truth.value()) / Math.abs(truth.value());
    Tensor gap = student.grad().cpu().to(ScalarType.Double).sub(truth.gradient());
    double gradientError = gap.norm().item_double() / truth.gradient().norm().item_double();
    if (!(valueError <= limit && gradientError <= limit)) { // also refuses NaN
      throw new IllegalStateException(
          "wrong result: value %.9g, expected %.9g (error %.2g), gradient error %.2g, limit %.0g"
              .formatted(value, truth.value(), valueError, gradientError, limit));
    }
    return gradientError;
  }
}
