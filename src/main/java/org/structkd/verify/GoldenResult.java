package org.structkd.verify;

import java.util.Map;
import org.bytedeco.javacpp.indexer.DoubleIndexer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What an op computed.
 *
 * @param outputs by the name they have in golden files; a scalar is an array of one
 * @param gradients with respect to inputs, by their names
 */
record GoldenResult(Map<String, double[]> outputs, Map<String, GoldenTensor> gradients) {

  /** All elements of a tensor in row-major order. */
  static double[] valuesOf(Tensor tensor) {
    Tensor dense = tensor.detach().cpu().to(ScalarType.Double).contiguous();
    double[] values = new double[Math.toIntExact(dense.numel())];
    try (DoubleIndexer indexer = dense.reshape(values.length).createIndexer()) {
      indexer.get(0L, values);
    }
    return values;
  }
}
