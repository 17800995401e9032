package org.structkd.optim;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;

/**
 * An {@link Optimizer} at work on the parameters of some modules. In a file its state of a
 * parameter is called as in Python's {@code state_dict()}, behind the parameter's name: {@code
 * head.weight.step}, {@code .exp_avg}, {@code .exp_avg_sq}, {@code .momentum_buffer}. A parameter
 * that never had a gradient has no state.
 *
 * <p>It owns its state until it is closed, and keeps the parameters, not their modules, alive. For
 * one thread at a time.
 */
public final class RunningOptimizer implements AutoCloseable {
  private static final String STEP = "step";

  /** What is remembered of one parameter. */
  private static final class Slot {
    private final Tensor parameter;
    private final double rateFactor;
    private final double weightDecay;
    private final Map<String, Tensor> state = new LinkedHashMap<>(); // empty until the first step
    private long steps;

    Slot(Tensor parameter, double rateFactor, double weightDecay) {
      this.parameter = parameter;
      this.rateFactor = rateFactor;
      this.weightDecay = weightDecay;
    }

    void start(List<String> names) {
      for (String name : names) {
        state.computeIfAbsent(
            name, any -> Scopes.unscoped(() -> torch.zeros_like(parameter.detach())));
      }
    }
  }

  private final Optimizer settings;
  private final List<String> remembered;
  private final Map<String, Slot> slots = new LinkedHashMap<>();

  /**
   * An optimizer that has made no step.
   *
   * @param settings its kind and numbers
   * @param modules whose parameters it changes, by what their names in files begin with, such as ""
   *     and "part.connector."
   * @param rateFactors factor of the rate of all parameters whose names begin so; of several the
   *     longest beginning counts. The others have factor 1
   * @throws IllegalArgumentException if no parameter's name begins with one of the factors', or a
   *     factor is negative or not finite
   */
  public RunningOptimizer(
      Optimizer settings, Map<String, Module> modules, Map<String, Double> rateFactors) {
    this.settings = settings;
    remembered = remembered(settings);
    modules.forEach(
        (prefix, module) -> {
          try (PointerScope temporaries = new PointerScope()) {
            StateDict.parametersOf(module)
                .forEach((name, parameter) -> add(prefix + name, parameter, rateFactors));
          }
        });
    rateFactors.forEach(this::requireFactor);
  }

  private static List<String> remembered(Optimizer settings) {
    if (settings instanceof Sgd sgd) {
      return sgd.momentum() == 0 ? List.of() : List.of("momentum_buffer");
    }
    return List.of("exp_avg", "exp_avg_sq");
  }

  private void add(String name, Tensor parameter, Map<String, Double> rateFactors) {
    double factor = 1;
    int longest = -1;
    for (Map.Entry<String, Double> one : rateFactors.entrySet()) {
      if (name.startsWith(one.getKey()) && one.getKey().length() > longest) {
        longest = one.getKey().length();
        factor = one.getValue();
      }
    }
    boolean decays = settings.decayNormsAndBiases() || parameter.dim() > 1;
    // A handle of our own: the one given lies in the dictionary that it came in.
    Tensor own = Scopes.kept(new Tensor(parameter));
    slots.put(name, new Slot(own, factor, decays ? settings.weightDecay() : 0));
  }

  private void requireFactor(String beginning, double factor) {
    if (!(factor >= 0 && factor <= Float.MAX_VALUE)) { // also refuses NaN
      throw new IllegalArgumentException(
          "rate factor of \"" + beginning + "\" must be 0 or greater and finite but is " + factor);
    }
    if (slots.keySet().stream().noneMatch(name -> name.startsWith(beginning))) {
      throw new IllegalArgumentException(
          "rate factor of \"%s\": no parameter's name begins so, they are: %s"
              .formatted(beginning, String.join(", ", slots.keySet())));
    }
  }

  /** {@return its parameters by name, which belong to it} */
  public Map<String, Tensor> parameters() {
    Map<String, Tensor> parameters = new LinkedHashMap<>();
    slots.forEach((name, slot) -> parameters.put(name, slot.parameter));
    return parameters;
  }

  /**
   * Scales all gradients by one factor so that their norm, that of all together, is at most this.
   *
   * @param norm greater than 0
   */
  public void clip(double norm) {
    try (PointerScope temporaries = new PointerScope()) {
      List<Tensor> all = new ArrayList<>();
      slots.values().forEach(slot -> all.add(slot.parameter));
      NativeCall.of(
          () -> torch.clip_grad_norm_(new TensorVector(all.toArray(new Tensor[0])), norm));
    }
  }

  /**
   * Moves all parameters that have a gradient.
   *
   * @param factor of the rate at this step, as a {@link Schedule} gives it
   */
  public void step(double factor) {
    try (PointerScope temporaries = new PointerScope()) {
      for (Slot slot : slots.values()) {
        if (NativeOps.hasGradient(slot.parameter)) {
          slot.start(remembered);
          slot.steps++;
          NativeCall.run(() -> move(slot, settings.rate() * factor * slot.rateFactor));
        }
      }
    }
  }

  private void move(Slot slot, double rate) {
    if (settings instanceof Sgd sgd) {
      Tensor buffer = slot.state.getOrDefault("momentum_buffer", slot.parameter);
      NativeOps.sgdStep(
          slot.parameter, buffer, rate, sgd.momentum(), sgd.nesterov(), slot.weightDecay);
    } else if (settings instanceof AdamW adam) {
      adam(slot, rate, adam.beta1(), adam.beta2(), adam.eps(), true);
    } else if (settings instanceof Adam adam) {
      adam(slot, rate, adam.beta1(), adam.beta2(), adam.eps(), false);
    }
  }

  private static void adam(
      Slot slot, double rate, double beta1, double beta2, double eps, boolean decoupled) {
    NativeOps.adamStep(
        slot.parameter,
        slot.state.get("exp_avg"),
        slot.state.get("exp_avg_sq"),
        slot.steps,
        rate,
        beta1,
        beta2,
        eps,
        slot.weightDecay,
        decoupled);
  }

  /**
   * Adds step counts and state of all parameters to a file.
   *
   * @param prefix what names in the file begin with
   * @param file to add to
   */
  public void save(String prefix, TensorFile.Builder file) {
    try (PointerScope temporaries = new PointerScope()) {
      slots.forEach(
          (name, slot) -> {
            if (slot.steps > 0) {
              // Python's steps have no dimension.
              file.tensor(prefix + name + "." + STEP, torch.tensor(slot.steps).squeeze());
              slot.state.forEach((part, tensor) -> file.tensor(prefix + name + "." + part, tensor));
            }
          });
    }
  }

  /**
   * Checks that what a file holds of this optimizer can be restored.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if it cannot, or cannot be read; nothing has changed
   */
  public void requireFit(String prefix, TensorFile file) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor number = torch.empty(new long[0], new TensorOptions(ScalarType.Long), null);
      for (Map.Entry<String, Slot> entry : slots.entrySet()) {
        String name = prefix + entry.getKey() + ".";
        if (file.names().contains(name + STEP)) {
          file.requireFit(name + STEP, number);
          for (String part : remembered) {
            file.requireFit(name + part, entry.getValue().parameter);
          }
        }
      }
    }
  }

  /**
   * Takes the state out of a file that {@link #requireFit} has found good.
   *
   * @param prefix what names in the file begin with
   * @param file the file
   * @throws IOException if it cannot be read
   */
  public void restore(String prefix, TensorFile file) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      for (Map.Entry<String, Slot> entry : slots.entrySet()) {
        String name = prefix + entry.getKey() + ".";
        Slot slot = entry.getValue();
        if (file.names().contains(name + STEP)) {
          slot.steps = file.tensor(name + STEP).item_long();
          slot.start(remembered);
          for (String part : remembered) {
            file.copyTo(name + part, slot.state.get(part));
          }
        }
      }
    }
  }

  /** Releases the state. May be called twice. */
  @Override
  public void close() {
    for (Slot slot : slots.values()) {
      slot.parameter.close();
      slot.state.values().forEach(Tensor::close);
    }
    slots.clear();
  }
}
