package org.structkd.internal;

import java.util.Arrays;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.SharedModuleVector;
import org.bytedeco.pytorch.TensorVector;

/**
 * Whether each submodule of a network trains or evaluates. {@link Module#train} sets all of them at
 * once and so forgets what a user set for one.
 */
public final class ModuleModes implements AutoCloseable {
  private final Module root;
  private final boolean[] training;

  /** Remembers the mode of every submodule. */
  private ModuleModes(Module root) {
    this.root = root;
    try (PointerScope temporaries = new PointerScope()) {
      SharedModuleVector modules = root.modules();
      training = new boolean[(int) modules.size()];
      for (int i = 0; i < training.length; i++) {
        training[i] = modules.get(i).is_training();
      }
    }
  }

  /**
   * Sets a network and all in it to evaluation.
   *
   * @return gives every submodule its mode back when it is closed
   */
  public static ModuleModes evaluating(Module root) {
    ModuleModes before = new ModuleModes(root);
    root.eval();
    return before;
  }

  /**
   * Sets a network to training, but not what its user froze: a submodule in evaluation mode whose
   * parameters are there and require no gradient stays as it is, with all in it.
   */
  public static void train(Module root) {
    ModuleModes before = new ModuleModes(root);
    try (PointerScope temporaries = new PointerScope()) {
      SharedModuleVector modules = root.modules(); // a module stands before its children
      boolean[] frozen = new boolean[before.training.length];
      for (int i = 0; i < frozen.length; i++) {
        if (!frozen[i] && !before.training[i] && isFrozen(modules.get(i))) {
          int end = i + (int) modules.get(i).modules().size();
          for (int inside = i; inside < end; inside++) {
            frozen[inside] = true;
          }
        }
      }
      root.train(true);
      before.restore(modules, frozen);
    }
  }

  private static boolean isFrozen(Module module) {
    TensorVector parameters = module.parameters();
    for (long i = 0; i < parameters.size(); i++) {
      if (parameters.get(i).requires_grad()) {
        return false;
      }
    }
    return !parameters.empty();
  }

  /** Sets the modes back; a module takes its children along, but theirs are set after it. */
  private void restore(SharedModuleVector modules, boolean[] which) {
    for (int i = 0; i < training.length; i++) {
      if (which[i]) {
        modules.get(i).train(training[i]);
      }
    }
  }

  @Override
  public void close() {
    try (PointerScope temporaries = new PointerScope()) {
      boolean[] all = new boolean[training.length];
      Arrays.fill(all, true);
      restore(root.modules(), all);
    }
  }
}
