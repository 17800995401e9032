package org.structkd.testing;

import java.util.function.Supplier;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;

/** Runs a part of a test on another backend; tests run one after another. */
public final class OnBackend {
  private OnBackend() {}

  /**
   * Routes CPU tensors to a backend while this computes.
   *
   * @param backend such as "reference", or "composed": without kernels, by LibTorch's operators
   */
  public static <T> T of(String backend, Supplier<T> computation) {
    String before = NativeCall.of(() -> NativeOps.useBackend(backend));
    try {
      return computation.get();
    } finally {
      NativeOps.useBackend(before);
    }
  }
}
