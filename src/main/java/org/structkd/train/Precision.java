package org.structkd.train;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Autocast;

/**
 * What the networks of a training compute with. Weights, gradients of them, optimizers, losses and
 * what these train are f32 in any case, and so are evaluations and files.
 */
public enum Precision {
  /** As the weights are: f32. */
  F32,

  /**
   * LibTorch's autocast: convolutions and matrix products of student and teachers in bf16, forward
   * and backward, and what it lists as needing more in f32. Half of the memory for what layers keep
   * for backward, and less time where the processor multiplies in bf16.
   */
  BF16;

  /**
   * {@return the outputs of a network, none of which is bf16}
   *
   * @param inputs of the network, one or more, on its device
   * @param network computes outputs by tap
   */
  Map<String, Tensor> outputs(
      Map<String, Tensor> inputs, UnaryOperator<Map<String, Tensor>> network) {
    if (this == F32) {
      return network.apply(inputs);
    }
    Map<String, Tensor> rounded;
    Tensor any = inputs.values().iterator().next();
    try (Autocast rounding = new Autocast(any.device().type().intern())) {
      rounded = network.apply(inputs);
    }
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    rounded.forEach((tap, output) -> outputs.put(tap, widened(output)));
    return outputs;
  }

  /** Losses add up many numbers, of which bf16 keeps three digits. */
  private static Tensor widened(Tensor output) {
    return output.scalar_type().intern() == ScalarType.BFloat16
        ? output.to(ScalarType.Float)
        : output;
  }
}
