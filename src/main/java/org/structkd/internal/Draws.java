package org.structkd.internal;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * What a loss draws in a step: tensors as functions of its seed and the step, so that a training
 * that continues draws the same, and nobody's generator moves.
 *
 * <pre>{@code
 * u[i] = (floor(bits(key, i) / 2^11) + 1/2) / 2^53      key = bits(bits(seed, step), stream)
 * }</pre>
 *
 * <p>{@code bits} are those of {@link CounterRandom}; i is the row-major index. Numbers are f64 and
 * made on the CPU.
 *
 * @param seed of the loss
 * @param step of the training
 */
public record Draws(long seed, long step) {
  /**
   * {@return numbers that are uniform between 0 and 1, both left out}
   *
   * @param stream tells the draws of one step apart
   * @param device that they are brought to
   * @param shape theirs
   */
  public Tensor uniform(long stream, Device device, long... shape) {
    long key = CounterRandom.bits(CounterRandom.bits(seed, step), stream);
    int count = 1;
    for (long size : shape) {
      count = Math.multiplyExact(count, Math.toIntExact(size));
    }
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = ((CounterRandom.bits(key, i) >>> 11) + 0.5) * 0x1p-53;
    }
    return onDevice(Tensor.create(values, shape), device);
  }

  private static Tensor onDevice(Tensor values, Device device) {
    return values.to(device, values.scalar_type());
  }

  /** {@return numbers of Gumbel's distribution, -log(-log u)} */
  public Tensor gumbel(long stream, Device device, long... shape) {
    return uniform(stream, device, shape).log().neg().log().neg();
  }

  /**
   * {@return standard normal numbers by the transform of Box and Muller, sqrt(-2 log u) cos(2 pi
   * v)} The u are drawn in one stream, the v in the next.
   */
  public Tensor normal(long stream, Device device, long... shape) {
    Tensor radius = uniform(stream, device, shape).log().mul(new Scalar(-2)).sqrt();
    return uniform(stream + 1, device, shape).mul(new Scalar(2 * Math.PI)).cos().mul(radius);
  }
}
