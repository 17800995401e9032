package org.structkd.metric;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The elements of a tensor in an array. */
final class Elements {
  private Elements() {}

  /** {@return all elements in f64, row by row, of a tensor of any type and device} */
  static double[] of(Tensor tensor) {
    double[] elements = new double[Math.toIntExact(tensor.numel())];
    try (PointerScope temporaries = new PointerScope()) {
      tensor.detach().cpu().to(ScalarType.Double).contiguous().data_ptr_double().get(elements);
    }
    return elements;
  }
}
