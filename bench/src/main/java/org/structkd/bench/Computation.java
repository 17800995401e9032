package org.structkd.bench;

import java.util.function.Supplier;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.structkd.internal.Autocast;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.MapLoss;

/** One way to compute a loss; temporaries belong to the caller's PointerScope. */
interface Computation {
  /** The value alone. */
  Tensor value(Tensor student, Tensor teacher);

  /** The value; leaves the gradient in {@code student.grad()}, which is undefined before. */
  Tensor full(Tensor student, Tensor teacher);

  /**
   * {@return the same as a training in mixed precision calls it: forward alone under autocast, as
   * PyTorch asks for}
   */
  default Computation underAutocast(DeviceType device) {
    throw new UnsupportedOperationException("a gradient derived by hand says its own types");
  }

  /**
   * A loss whose CPU tensors take a backend; on any device "composed" is the formula as LibTorch's
   * operators compose it.
   */
  static MapLoss on(String backend, MapLoss loss) {
    return (student, teacher) -> on(backend, () -> loss.forward(student, teacher));
  }

  /** What is computed while CPU tensors take a backend. */
  static Tensor on(String backend, Supplier<Tensor> call) {
    String before = NativeCall.of(() -> NativeOps.useBackend(backend));
    try {
      return call.get();
    } finally {
      NativeOps.useBackend(before);
    }
  }

  /** {@return a computation whose gradient is made by LibTorch's autograd} */
  static Computation autograd(MapLoss loss) {
    return new Computation() {
      @Override
      public Tensor value(Tensor student, Tensor teacher) {
        try (NoGradGuard unrecorded = new NoGradGuard()) {
          return loss.forward(student, teacher);
        }
      }

      @Override
      public Tensor full(Tensor student, Tensor teacher) {
        Tensor value = loss.forward(student, teacher);
        value.backward();
        return value;
      }

      @Override
      public Computation underAutocast(DeviceType device) {
        return autograd(
            (student, teacher) -> {
              try (Autocast bf16 = new Autocast(device)) {
                return loss.forward(student, teacher);
              }
            });
      }
    };
  }

  /** {@return a computation whose gradient was derived by hand} */
  static Computation byHand(HandWritten loss) {
    return new Computation() {
      @Override
      public Tensor value(Tensor student, Tensor teacher) {
        try (NoGradGuard unrecorded = new NoGradGuard()) {
          return loss.compute(student, teacher, false).value;
        }
      }

      @Override
      public Tensor full(Tensor student, Tensor teacher) {
        try (NoGradGuard unrecorded = new NoGradGuard()) {
          Result result = loss.compute(student, teacher, true);
          student.mutable_grad().put(result.gradient.view(student.shape()));
          return result.value;
        }
      }
    };
  }

  /** A composition that writes its own gradient. */
  @FunctionalInterface
  interface HandWritten {
    /** Never recorded by autograd. The gradient may be null where it is not wanted. */
    Result compute(Tensor student, Tensor teacher, boolean wantGradient);
  }

  /** Value, and gradient with as many elements as the student's map. */
  record Result(Tensor value, Tensor gradient) {}
}
