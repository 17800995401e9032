package org.structkd.testing;

import java.util.Random;
import org.bytedeco.javacpp.indexer.DoubleIndexer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Seeded tensors for tests, and their values. */
public final class Tensors {
  private Tensors() {}

  /** Values of the golden formula x[i] = a sin(b i + c) + d over the row-major index. */
  public static Tensor sine(double a, double b, double c, double d, long... shape) {
    double[] values = new double[elements(shape)];
    for (int i = 0; i < values.length; i++) {
      values[i] = a * Math.sin(b * i + c) + d;
    }
    return Tensor.create(values, shape);
  }

  /** Independent gaussians. */
  public static Tensor gaussian(long seed, long... shape) {
    Random random = new Random(seed);
    double[] values = new double[elements(shape)];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextGaussian();
    }
    return Tensor.create(values, shape);
  }

  /** A leaf that collects a gradient. */
  public static Tensor leaf(Tensor values, ScalarType dtype) {
    Tensor leaf = values.to(dtype).detach().clone();
    leaf.set_requires_grad(true);
    return leaf;
  }

  /** All elements in row-major order. */
  public static double[] values(Tensor tensor) {
    Tensor dense = tensor.detach().to(ScalarType.Double).contiguous();
    double[] values = new double[(int) dense.numel()];
    if (values.length > 0) {
      try (DoubleIndexer indexer = dense.reshape(values.length).createIndexer()) {
        indexer.get(0L, values);
      }
    }
    return values;
  }

  /** Relative L2 distance; the plain one where expected is zero. */
  public static double relativeError(double[] actual, double[] expected) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    return Math.sqrt(norm > 0 ? difference / norm : difference);
  }

  /** Relative L2 distance of two tensors of one shape. */
  public static double relativeError(Tensor actual, Tensor expected) {
    return relativeError(values(actual), values(expected));
  }

  /** Whether two tensors hold the same bits. */
  public static boolean sameBits(Tensor one, Tensor other) {
    return torch.equal(one, other);
  }

  private static int elements(long[] shape) {
    long count = 1;
    for (long size : shape) {
      count *= size;
    }
    return Math.toIntExact(count);
  }
}
