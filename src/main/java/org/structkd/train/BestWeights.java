package org.structkd.train;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Scopes;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * Parameters and buffers of a module as they were at the best evaluation, beside those that go on
 * learning. They are in checkpoints, so that a training that continues knows them.
 */
final class BestWeights implements AutoCloseable {
  private final Module module;
  private final Map<String, Tensor> best = new LinkedHashMap<>(); // empty before an evaluation

  BestWeights(Module module) {
    this.module = module;
  }

  boolean isEmpty() {
    return best.isEmpty();
  }

  /** Copies what the module has now. */
  void take() {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      now()
          .forEach(
              (name, tensor) -> {
                Tensor kept = best.get(name);
                if (kept == null) {
                  best.put(name, Scopes.unscoped(() -> tensor.detach().clone()));
                } else {
                  kept.copy_(tensor);
                }
              });
    }
  }

  /** Gives the module the best, if there was an evaluation. */
  void apply() {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      Map<String, Tensor> now = now();
      best.forEach((name, tensor) -> now.get(name).copy_(tensor));
    }
  }

  private Map<String, Tensor> now() {
    Map<String, Tensor> now = new LinkedHashMap<>(StateDict.parametersOf(module));
    now.putAll(StateDict.buffersOf(module));
    return now;
  }

  void save(String prefix, TensorFile.Builder file) {
    StateDict.save(best, prefix, file);
  }

  /** Checks that a file has all or nothing of these. */
  void requireFit(String prefix, TensorFile file) throws IOException {
    if (isIn(prefix, file)) {
      StateDict.requireFit(module, prefix, file);
    }
  }

  /** Takes them out of a file; a checkpoint from before an evaluation has none. */
  void restore(String prefix, TensorFile file) throws IOException {
    if (isIn(prefix, file)) {
      take(); // for types, shapes and device
      StateDict.restore(best, prefix, file);
    }
  }

  private static boolean isIn(String prefix, TensorFile file) {
    return file.names().stream().anyMatch(name -> name.startsWith(prefix));
  }

  @Override
  public void close() {
    best.values().forEach(Tensor::close);
    best.clear();
  }
}
