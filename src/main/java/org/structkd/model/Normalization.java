package org.structkd.model;

import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Layers;

/**
 * A batch normalisation with a second form, in which running mean and variance are used and stay as
 * they are, in training as in inference. The module that it is made in owns its parameters. For one
 * thread at a time.
 */
final class Normalization {
  private final BatchNorm2dImpl norm;

  /** Adds one to a module. */
  Normalization(Module owner, String name, int channels) {
    norm = Layers.batchNorm(owner, name, channels);
  }

  /** {@return the normalised map, in the mode that the module is in} */
  Tensor forward(Tensor map) {
    return norm.forward(map);
  }

  /** {@return the normalised map by running mean and variance} */
  Tensor resting(Tensor map) {
    Scaled scaled = scaled();
    return map.mul(scaled.factor.view(1, -1, 1, 1)).add(scaled.shift.view(1, -1, 1, 1));
  }

  /**
   * What running mean and variance make of each channel.
   *
   * @param factor [C]
   * @param shift [C], added afterwards
   */
  record Scaled(Tensor factor, Tensor shift) {}

  /** {@return what the second form does, differentiable in weight and bias} */
  Scaled scaled() {
    Tensor deviation = norm.running_var().add(new Scalar(norm.options().eps().get())).sqrt();
    Tensor factor = norm.weight().div(deviation);
    return new Scaled(factor, norm.bias().sub(norm.running_mean().mul(factor)));
  }
}
