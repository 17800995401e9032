package org.structkd.metric;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Zone;

/**
 * Places of examples in metres, read from a tensor.
 *
 * @param shape [B, steps, 2]
 * @param values of the tensor
 */
record Places(long[] shape, double[] values) {
  /**
   * Reads a tensor.
   *
   * @param owner as sentences begin
   * @param tensor [B, steps, 2] on any device
   */
  static Places of(String owner, Tensor tensor) {
    long[] shape = tensor.shape();
    if (shape.length != 3 || shape[1] < 1 || shape[2] != 2) {
      throw new IllegalArgumentException(
          "%s: places are %s, expected [B, steps, 2]".formatted(owner, Arrays.toString(shape)));
    }
    return new Places(shape, Elements.of(tensor));
  }

  int count() {
    return (int) shape[0];
  }

  int steps() {
    return (int) shape[1];
  }

  double x(int example, int step) {
    return values[2 * (example * steps() + step)];
  }

  double y(int example, int step) {
    return values[2 * (example * steps() + step) + 1];
  }

  double distance(int example, int step, double toX, double toY) {
    double x = toX - x(example, step);
    double y = toY - y(example, step);
    return Math.sqrt(x * x + y * y);
  }

  /** Where one who goes on with the last step is, {@code step} + 1 steps after it. */
  double onX(int example, int step) {
    return (step + 2) * x(example, steps() - 1) - (step + 1) * x(example, steps() - 2);
  }

  /** The same in the other direction. */
  double onY(int example, int step) {
    return (step + 2) * y(example, steps() - 1) - (step + 1) * y(example, steps() - 2);
  }

  /** Places as corners. */
  Zone zone(int example) {
    return new Zone(
        IntStream.range(0, steps())
            .mapToObj(corner -> new Zone.Point(x(example, corner), y(example, corner)))
            .toList());
  }

  /** Whether some place is in a zone. */
  boolean enters(int example, Zone zone) {
    return IntStream.range(0, steps())
        .anyMatch(step -> zone.contains(x(example, step), y(example, step)));
  }
}
