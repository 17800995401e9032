package org.structkd.bench;

import java.util.Arrays;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** One loss on fixed inputs, computed in one way. */
final class LossCase {
  private final Tensor student;
  private final Tensor teacher;
  private final Contender contender;

  /**
   * A case. It keeps its inputs beyond the PointerScope they were made in.
   *
   * @param maps inputs
   * @param contender what is measured, and what is right
   */
  LossCase(CaseShape.Maps maps, Contender contender) {
    this.student = maps.student().set_requires_grad(true).retainReference();
    this.teacher = maps.teacher().retainReference();
    this.contender = contender;
  }

  static LossCase of(MeasuredLoss loss, CaseShape shape, String provider) {
    try (PointerScope temporaries = new PointerScope()) {
      return new LossCase(loss.inputs(shape), loss.formulas().contender(provider, shape));
    }
  }

  /** The same case with its inputs in the memory of a device. */
  LossCase on(Device device) {
    try (PointerScope temporaries = new PointerScope()) {
      ScalarType dtype = student.scalar_type();
      CaseShape.Maps maps =
          new CaseShape.Maps(student.detach().to(device, dtype), teacher.to(device, dtype));
      return new LossCase(maps, contender);
    }
  }

  /** The same case in mixed precision: maps in bf16, forward under autocast. */
  LossCase inMixedPrecision() {
    try (PointerScope temporaries = new PointerScope()) {
      CaseShape.Maps maps =
          new CaseShape.Maps(
              student.detach().to(ScalarType.BFloat16), teacher.to(ScalarType.BFloat16));
      return new LossCase(maps, contender.underAutocast(student.device().type()));
    }
  }

  /** {@return bytes of the gradient, which no provider can do without} */
  long gradientBytes() {
    return student.nbytes();
  }

  /** One call. Reading the value waits until it is there. */
  double call(Pass pass) {
    try (PointerScope temporaries = new PointerScope()) {
      return compute(pass).item_double();
    }
  }

  /** Value and gradient without waiting: on a GPU this only enqueues. */
  void enqueue() {
    try (PointerScope temporaries = new PointerScope()) {
      compute(Pass.FULL);
    }
  }

  private Tensor compute(Pass pass) {
    if (pass == Pass.FORWARD) {
      return contender.timed().value(student, teacher);
    }
    // Cleared as optimizers do by default: zeroing it and adding to it would cost two passes.
    student.mutable_grad().put(new Tensor());
    return contender.timed().full(student, teacher);
  }

  /**
   * The first call, looked at.
   *
   * @param milliseconds that it took
   * @param peakMebibytes most memory that it held beside inputs and gradient; NaN where the system
   *     cannot say
   */
  record FirstCall(double value, double milliseconds, double peakMebibytes) {}

  FirstCall firstCall(Pass pass) {
    Pointer.trimMemory(); // what making the inputs left behind would be used again, uncounted
    double[] found = new double[2];
    double bytes =
        PeakMemory.growthDuring(
            () -> {
              long start = System.nanoTime();
              found[0] = call(pass);
              found[1] = 1e-6 * (System.nanoTime() - start);
            });
    double gradient = pass == Pass.FULL ? gradientBytes() : 0;
    return new FirstCall(found[0], found[1], Math.max(0, bytes - gradient) / (1 << 20));
  }

  /**
   * Relative errors of value and gradient.
   *
   * @param gradient L2 norm; 0 where none was computed
   */
  record Errors(double value, double gradient) {
    /**
     * Keeps a wrong result out of the table.
     *
     * @throws IllegalStateException if an error is larger than its limit, or NaN
     */
    Errors requireWithin(Errors limits) {
      if (!(value <= limits.value && gradient <= limits.gradient)) {
        throw new IllegalStateException(
            "wrong result: value error %.2g, limit %.2g; gradient error %.2g, limit %.2g"
                .formatted(value, limits.value, gradient, limits.gradient));
      }
      return this;
    }
  }

  /** Compares the last call with the truth in f64. */
  Errors errors(Pass pass, double value) {
    try (PointerScope temporaries = new PointerScope()) {
      Truth truth = Truth.of(contender.truthName(), contender.truth(), student, teacher);
      return errors(pass, value, truth);
    }
  }

  /** The same for a GPU's sizes. */
  Errors errorsBesideCpu(double value) {
    try (PointerScope temporaries = new PointerScope()) {
      return errors(Pass.FULL, value, Truth.onCpu(contender.leanTruth(), student, teacher));
    }
  }

  private Errors errors(Pass pass, double value, Truth truth) {
    double valueError = Math.abs(value - truth.value()) / Math.abs(truth.value());
    if (pass == Pass.FORWARD) {
      return new Errors(valueError, 0);
    }
    Tensor gap = student.grad().cpu().to(ScalarType.Double).sub(truth.gradient());
    return new Errors(valueError, gap.norm().item_double() / truth.gradient().norm().item_double());
  }

  /**
   * Calls again.
   *
   * @param value of the call before, whose gradient is still there
   * @throws IllegalStateException if the result differs in any bit
   */
  void requireEqualRepeat(Pass pass, double value) {
    float[] gradient = pass == Pass.FULL ? gradient() : new float[0];
    double again = call(pass);
    if (Double.doubleToLongBits(again) != Double.doubleToLongBits(value)
        || (pass == Pass.FULL && !Arrays.equals(gradient, gradient()))) {
      throw new IllegalStateException("a second call gave other bits");
    }
  }

  private float[] gradient() {
    try (PointerScope temporaries = new PointerScope()) {
      float[] values = new float[Math.toIntExact(student.numel())];
      student.grad().contiguous().data_ptr_float().get(values);
      return values;
    }
  }
}
