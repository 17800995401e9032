package org.structkd.train;

import java.io.IOException;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * LibTorch's Adam over the parameters of a module. In a file its state of a parameter is called as
 * in Python's {@code state_dict()}, behind the parameter's name: {@code head.weight.step}, {@code
 * .exp_avg} and {@code .exp_avg_sq}. A parameter that never had a gradient has no state.
 */
final class AdamOptimizer {
  private static final String STEP = ".step";
  private static final String EXP_AVG = ".exp_avg";
  private static final String EXP_AVG_SQ = ".exp_avg_sq";

  private final Module module;
  private final Adam adam;

  /** Lives in the PointerScope that is open here. */
  AdamOptimizer(Module module) {
    this.module = module;
    adam = new Adam(module.parameters(), new AdamOptions());
  }

  void zeroGrad() {
    adam.zero_grad();
  }

  void step(double learningRate) {
    adam.param_groups().get(0).options().set_lr(learningRate);
    adam.step();
  }

  /** Adds step counts and both moments of all parameters to a file. */
  void save(String prefix, TensorFile.Builder file) {
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, Tensor> named : StateDict.parametersOf(module).entrySet()) {
        Tensor parameter = named.getValue();
        long steps = NativeCall.of(() -> NativeOps.adamSteps(adam, parameter));
        if (steps > 0) {
          String name = prefix + named.getKey();
          file.tensor(
              name + STEP, torch.tensor(steps).squeeze()); // Python's steps have no dimension
          file.tensor(name + EXP_AVG, NativeCall.of(() -> NativeOps.adamExpAvg(adam, parameter)));
          file.tensor(
              name + EXP_AVG_SQ, NativeCall.of(() -> NativeOps.adamExpAvgSq(adam, parameter)));
        }
      }
    }
  }

  /**
   * Checks that what a file holds of this optimizer can be restored.
   *
   * @throws IOException if it cannot, or cannot be read; nothing has changed
   */
  void requireFit(String prefix, TensorFile file) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor number = torch.empty(new long[0], new TensorOptions(ScalarType.Long), null);
      for (Map.Entry<String, Tensor> named : StateDict.parametersOf(module).entrySet()) {
        String name = prefix + named.getKey();
        if (file.names().contains(name + STEP)) {
          file.requireFit(name + STEP, number);
          file.requireFit(name + EXP_AVG, named.getValue());
          file.requireFit(name + EXP_AVG_SQ, named.getValue());
        }
      }
    }
  }

  /** Takes the state out of a file that {@link #requireFit} has found good. */
  void restore(String prefix, TensorFile file) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, Tensor> named : StateDict.parametersOf(module).entrySet()) {
        String name = prefix + named.getKey();
        if (file.names().contains(name + STEP)) {
          Tensor parameter = named.getValue().detach();
          Tensor expAvg = torch.empty_like(parameter);
          Tensor expAvgSq = torch.empty_like(parameter);
          file.copyTo(name + EXP_AVG, expAvg);
          file.copyTo(name + EXP_AVG_SQ, expAvgSq);
          long steps = file.tensor(name + STEP).item_long();
          NativeCall.run(
              () -> NativeOps.setAdamState(adam, named.getValue(), steps, expAvg, expAvgSq));
        }
      }
    }
  }
}
