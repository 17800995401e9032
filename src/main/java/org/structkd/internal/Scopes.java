package org.structkd.internal;

import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Native memory of one call: temporaries go at once, the result belongs to the caller. */
public final class Scopes {
  private Scopes() {}

  /**
   * Runs a native computation in a scope of its own.
   *
   * @return its result, attached to the scope that was open before, if there was one
   */
  public static Tensor resultOf(Supplier<Tensor> computation) {
    @Nullable PointerScope caller = PointerScope.getInnerScope();
    try (PointerScope temporaries = new PointerScope()) {
      Tensor result = NativeCall.of(computation);
      // Before it leaves this scope: a pointer that no scope counts is released at once.
      if (caller != null) {
        caller.attach(result);
      } else {
        result.retainReference();
      }
      temporaries.detach(result);
      return result;
    }
  }

  /**
   * Runs a native computation in a scope of its own.
   *
   * @return its result, which no scope owns: it lives as long as Java can reach it
   */
  public static Tensor unscoped(Supplier<Tensor> computation) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor result = NativeCall.of(computation);
      result.retainReference();
      temporaries.detach(result);
      return result;
    }
  }

  /** Runs a native computation of a plain number; all that it allocates is released. */
  public static double numberOf(DoubleSupplier computation) {
    try (PointerScope temporaries = new PointerScope()) {
      return NativeCall.of(computation::getAsDouble);
    }
  }
}
