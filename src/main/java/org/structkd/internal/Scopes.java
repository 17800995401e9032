package org.structkd.internal;

import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Native memory of one call: temporaries go at once, the results belong to the caller. */
public final class Scopes {
  private Scopes() {}

  /**
   * Runs a native computation in a scope of its own.
   *
   * @return its result, attached to the innermost scope of the caller that takes tensors, if there
   *     is one
   */
  public static Tensor resultOf(Supplier<Tensor> computation) {
    PointerScope caller = scopeForTensors();
    try (PointerScope temporaries = new PointerScope()) {
      Tensor result = NativeCall.of(computation);
      handOver(result, temporaries, caller);
      return result;
    }
  }

  /**
   * The same for several results.
   *
   * @return the results by name, in the order of the computation
   */
  public static Map<String, Tensor> resultsOf(Supplier<Map<String, Tensor>> computation) {
    PointerScope caller = scopeForTensors();
    try (PointerScope temporaries = new PointerScope()) {
      Map<String, Tensor> results = NativeCall.of(computation);
      // A computation may give one tensor two names.
      Set<Tensor> tensors = Collections.newSetFromMap(new IdentityHashMap<>());
      tensors.addAll(results.values());
      tensors.forEach(result -> handOver(result, temporaries, caller));
      return results;
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
      handOver(result, temporaries, null);
      return result;
    }
  }

  /** Runs a native computation of a plain number; all that it allocates is released. */
  public static double numberOf(DoubleSupplier computation) {
    try (PointerScope temporaries = new PointerScope()) {
      return NativeCall.of(computation::getAsDouble);
    }
  }

  /**
   * Keeps a pointer of one's own alive past the scope that is open where it is made, until Java
   * collects it.
   *
   * @return the pointer
   */
  public static <P extends Pointer> P kept(P own) {
    return own.retainReference();
  }

  /**
   * The scope that JavaCPP would attach a new tensor to: some take only pointers of some classes.
   */
  private static @Nullable PointerScope scopeForTensors() {
    Iterator<PointerScope> scopes = PointerScope.getScopeIterator();
    while (scopes.hasNext()) {
      PointerScope scope = scopes.next();
      Class<? extends Pointer>[] classes = scope.forClasses();
      if (classes == null
          || classes.length == 0
          || Arrays.stream(classes).anyMatch(one -> one.isAssignableFrom(Tensor.class))) {
        return scope;
      }
    }
    return null;
  }

  private static void handOver(
      Tensor result, PointerScope temporaries, @Nullable PointerScope caller) {
    // It is held before it leaves this scope: a pointer that no scope counts is released at once.
    if (caller != null) {
      caller.attach(result);
    } else {
      result.retainReference();
    }
    temporaries.detach(result);
  }
}
