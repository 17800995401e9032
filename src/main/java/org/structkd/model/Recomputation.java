package org.structkd.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.structkd.internal.Autocast;
import org.structkd.internal.Scopes;

/**
 * Forward and backward of a network that keeps only what goes into its stages and what comes out of
 * them. In backward the inside of each is computed once more: memory for time.
 *
 * <pre>{@code
 * try (Recomputation stages = new Recomputation(network)) {
 *   loss(stages.forward(inputs)).backward(); // up to the stages' results
 *   stages.backward();
 * }
 * }</pre>
 *
 * <p>Gradients and buffers have the bits that they have without: the second computation is that of
 * the first, contributions to a gradient are added in the same order, and what it does to buffers,
 * such as running means, is taken back. (In bf16, LibTorch may multiply maps of one position in
 * another order.) A stage that draws random numbers or that reads what it changes is none. For one
 * thread at a time.
 *
 * <p>Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training Deep Nets with Sublinear Memory
 * Cost", 2016, arXiv 1604.06174.
 */
public final class Recomputation implements Stages, AutoCloseable {
  /**
   * A stage that was computed without autograd.
   *
   * @param input whose gradient, if it is the result of another stage, gathers what its readers
   *     give
   * @param output a leaf, which gathers likewise
   * @param rounds whether it was computed in bf16
   */
  private record Stage(
      UnaryOperator<Tensor> computation, Tensor input, Tensor output, boolean rounds) {}

  private final TrainableNetwork network;
  private final List<Stage> stages = new ArrayList<>();

  /**
   * Nothing is computed yet.
   *
   * @param network which; one without stages keeps all
   */
  public Recomputation(TrainableNetwork network) {
    this.network = network;
  }

  /**
   * {@return the outputs as {@link TrainableNetwork#forward(Map)} gives them}
   *
   * @param inputs as there
   */
  public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
    return network.forward(inputs, this);
  }

  @Override
  public Tensor of(UnaryOperator<Tensor> stage, Tensor input) {
    if (input.requires_grad() && !input.is_leaf()) {
      throw new IllegalStateException("a stage reads what is no result of a stage");
    }
    DeviceType device = input.device().type().intern();
    Tensor output =
        Scopes.unscoped(
            () -> {
              try (NoGradGuard noGrad = new NoGradGuard()) {
                return stage.apply(input).detach();
              }
            });
    output.set_requires_grad(true);
    Tensor own = Scopes.unscoped(() -> new Tensor(input)); // the caller releases its own
    stages.add(new Stage(stage, own, output, torch.is_autocast_enabled(device)));
    return new Tensor(output);
  }

  /**
   * Differentiates the stages, the last one first, by the gradients that their results have, and
   * forgets them.
   */
  public void backward() {
    if (stages.isEmpty()) {
      return; // most trainings keep all, and need no copy of their buffers
    }
    try (PointerScope temporaries = new PointerScope()) {
      List<Tensor> buffers = List.copyOf(StateDict.buffersOf(network.module()).values());
      List<Tensor> before = buffers.stream().map(buffer -> buffer.detach().clone()).toList();
      for (int i = stages.size() - 1; i >= 0; i--) {
        backward(stages.get(i));
      }
      for (int i = 0; i < buffers.size(); i++) {
        buffers.get(i).copy_(before.get(i));
      }
    }
    close();
  }

  private static void backward(Stage stage) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor gradient = stage.output.grad();
      if (!gradient.defined()) {
        return; // nobody has read the result
      }
      Tensor again = computed(stage);
      TensorVector results = new TensorVector(again);
      TensorVector gradients = new TensorVector(gradient);
      Tensor ofOthers = new Tensor(stage.input.grad()); // grad() itself is emptied by reset()
      if (ofOthers.defined()) { // they come first in autograd, too, which adds one by one
        stage.input.mutable_grad().reset();
        results.push_back(stage.input);
        gradients.push_back(ofOthers);
      }
      if (again.requires_grad()) {
        torch.backward(results, gradients, new BoolOptional(), false, new TensorVector());
      }
      stage.output.mutable_grad().reset();
    }
  }

  private static Tensor computed(Stage stage) {
    if (!stage.rounds) {
      return stage.computation.apply(stage.input);
    }
    try (Autocast rounding = new Autocast(stage.input.device().type().intern())) {
      return stage.computation.apply(stage.input);
    }
  }

  /** Releases the stages' inputs and results. */
  @Override
  public void close() {
    stages.forEach(
        stage -> {
          stage.input.close();
          stage.output.close();
        });
    stages.clear();
  }
}
