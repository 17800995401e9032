package org.structkd.verify;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * An input tensor of a case in f64.
 *
 * @param shape sizes
 * @param values row-major
 */
record GoldenTensor(long[] shape, double[] values) {
  /** 1 GB in f64: a golden case is small, and a slip of a digit should not fill the memory. */
  private static final long MAX_ELEMENTS = 1L << 27;

  /**
   * Either a formula {@code {shape, a, b, c, d}} or a nested list.
   *
   * @throws BadGoldenFileException if it is neither
   */
  static GoldenTensor of(GoldenValue json) {
    return json.isList() ? literal(json) : formula(json);
  }

  /** x[i] = a sin(b i + c) + d over the row-major index. */
  private static GoldenTensor formula(GoldenValue json) {
    long[] shape = shapeOf(json.get("shape"));
    double[] values = new double[(int) elements(shape)];
    double a = json.get("a").number();
    double b = json.get("b").number();
    double c = json.get("c").number();
    double d = json.get("d").number();
    for (int i = 0; i < values.length; i++) {
      values[i] = a * Math.sin(b * i + c) + d;
    }
    return new GoldenTensor(shape, values);
  }

  private static GoldenTensor literal(GoldenValue json) {
    if (json.list().isEmpty()) {
      throw json.bad("is an empty list");
    }
    if (!json.list().get(0).isList()) {
      return new GoldenTensor(new long[] {json.list().size()}, json.numbers());
    }
    List<GoldenTensor> parts = json.list().stream().map(GoldenTensor::literal).toList();
    long[] inner = parts.get(0).shape;
    for (GoldenTensor part : parts) {
      if (!Arrays.equals(part.shape, inner)) {
        throw json.bad(
            "is ragged: it has parts of shape %s and %s"
                .formatted(Arrays.toString(inner), Arrays.toString(part.shape)));
      }
    }
    long[] shape = new long[inner.length + 1];
    shape[0] = parts.size();
    System.arraycopy(inner, 0, shape, 1, inner.length);
    return new GoldenTensor(
        shape, parts.stream().flatMapToDouble(part -> Arrays.stream(part.values)).toArray());
  }

  /** A list of sizes of at least 1. */
  static long[] shapeOf(GoldenValue json) {
    double[] sizes = json.numbers();
    long[] shape = new long[sizes.length];
    double elements = 1;
    for (int i = 0; i < sizes.length; i++) {
      shape[i] = (long) sizes[i];
      elements *= sizes[i];
      if (shape[i] != sizes[i] || shape[i] < 1) {
        throw json.bad("is " + json.shortened() + ", expected whole numbers of at least 1");
      }
    }
    if (elements > MAX_ELEMENTS) {
      throw json.bad("is " + json.shortened() + ", more than " + MAX_ELEMENTS + " elements");
    }
    return shape;
  }

  static long elements(long[] shape) {
    return Arrays.stream(shape).reduce(1, (one, other) -> one * other);
  }

  /** {@return the values as a LibTorch tensor in f64, in the caller's PointerScope} */
  Tensor tensor() {
    return Tensor.create(values, shape);
  }

  /** {@return the values as whole numbers, such as labels} */
  long[] integers() {
    return Arrays.stream(values).mapToLong(Math::round).toArray();
  }
}
