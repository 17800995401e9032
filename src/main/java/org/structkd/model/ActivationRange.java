package org.structkd.model;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Layers;
import org.structkd.internal.Scopes;

/**
 * The running minimum and maximum of what a layer gets, a buffer [2] of its module, so that files
 * and checkpoints have it. Both are 0 as long as nothing but 0 was seen.
 */
final class ActivationRange {
  private final Tensor bounds;

  /**
   * A range that has seen nothing.
   *
   * @param name of the buffer
   * @param like a tensor of the layer's device and type
   */
  ActivationRange(Module owner, String name, Tensor like) {
    bounds = Layers.buffer(owner, name, Scopes.unscoped(() -> like.detach().new_zeros(2)));
  }

  boolean isEmpty() {
    double[] values = values();
    return values[0] == 0 && values[1] == 0;
  }

  /**
   * Moves towards the range of these activations; the first ones that are not all 0 are taken as
   * they are.
   *
   * @param rate share of the way, greater than 0, at most 1
   */
  void observe(Tensor activations, double rate) {
    try (NoGradGuard noGrad = new NoGradGuard()) {
      T_TensorTensor_T seen = activations.detach().aminmax();
      double min = seen.get0().item_double();
      double max = seen.get1().item_double();
      double[] before = values();
      boolean first = before[0] == 0 && before[1] == 0;
      bounds.select(0, 0).fill_(new Scalar(first ? min : moved(before[0], min, rate)));
      bounds.select(0, 1).fill_(new Scalar(first ? max : moved(before[1], max, rate)));
    }
  }

  private static double moved(double from, double to, double rate) {
    return from + rate * (to - from);
  }

  FakeQuantization.Activations activations() {
    double[] values = values();
    return FakeQuantization.Activations.of(values[0], values[1]);
  }

  private double[] values() {
    Tensor here = bounds.cpu().to(ScalarType.Double);
    return new double[] {here.select(0, 0).item_double(), here.select(0, 1).item_double()};
  }
}
