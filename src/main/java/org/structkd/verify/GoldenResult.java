package org.structkd.verify;

import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.javacpp.indexer.DoubleIndexer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * What an op computed.
 *
 * @param outputs by the name they have in golden files; a scalar is an array of one
 * @param gradients with respect to inputs, by their names
 * @param composition whether LibTorch operators or plain Java computed it, so that no backend did
 * @param terms of outputs that are differences, the larger term: what their error is relative to
 */
record GoldenResult(
    Map<String, double[]> outputs,
    Map<String, GoldenTensor> gradients,
    boolean composition,
    Map<String, Double> terms) {
  /** A result none of whose outputs is a difference. */
  GoldenResult(
      Map<String, double[]> outputs, Map<String, GoldenTensor> gradients, boolean composition) {
    this(outputs, gradients, composition, Map.of());
  }

  /** A loss and its gradients by leaves, which have the names of their inputs. */
  static GoldenResult of(Tensor loss, Map<String, Tensor> leaves) {
    loss.backward();
    Map<String, GoldenTensor> gradients = new TreeMap<>();
    leaves.forEach(
        (name, leaf) -> gradients.put(name, new GoldenTensor(leaf.shape(), valuesOf(leaf.grad()))));
    // Every kernel is an autograd node of this name.
    boolean kernel = loss.grad_fn().name().getString().contains("KernelLoss");
    return new GoldenResult(Map.of("loss", valuesOf(loss)), gradients, !kernel);
  }

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
