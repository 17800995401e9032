package org.structkd.loss;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.Layers;
import org.structkd.internal.Rows;

/**
 * Queues of vectors of the teacher, one for each group, as buffers of a module: rings, whose oldest
 * entries are overwritten. They begin as random directions.
 */
final class MemoryQueue {
  private final Tensor entries;
  private final Tensor next;

  /**
   * Registers the buffers {@code NAME} [groups, length, size] and {@code NAME_next} [groups], the
   * place that is written next.
   */
  MemoryQueue(Module owner, String name, long groups, long length, long size) {
    entries = Layers.buffer(owner, name, Rows.unit(torch.randn(groups, length, size)));
    next = Layers.buffer(owner, name + "_next", torch.zeros(groups).to(ScalarType.Long));
  }

  /** {@return the length of a vector that it takes} */
  long size() {
    return entries.size(2);
  }

  /**
   * Writes vectors behind the last ones, in their order.
   *
   * @param vectors [M, size]
   * @param rows Long [groups, n], which vector comes n-th
   * @param taken Bool [groups, n], which of them are written, at most as many as the queue is long
   */
  void enqueue(Tensor vectors, Tensor rows, Tensor taken) {
    long groups = entries.size(0);
    long length = entries.size(1);
    try (NoGradGuard state = new NoGradGuard()) {
      Tensor begin = next.to(ScalarType.Long); // conversion of a module converts buffers, too
      Tensor counted = taken.to(ScalarType.Long);
      Tensor place = counted.cumsum(1).sub(new Scalar(1)).add(begin.unsqueeze(1));
      Tensor first =
          torch
              .arange(new Scalar(groups))
              .to(begin.device(), ScalarType.Long)
              .mul(new Scalar(length));
      Tensor target = place.remainder(new Scalar(length)).add(first.unsqueeze(1));
      Tensor chosen = taken.flatten(0, 1).nonzero().squeeze(1);
      entries
          .view(groups * length, entries.size(2))
          .index_copy_(
              0,
              target.flatten(0, 1).index_select(0, chosen),
              vectors
                  .detach()
                  .to(entries.scalar_type())
                  .index_select(0, rows.flatten(0, 1).index_select(0, chosen)));
      next.copy_(begin.add(counted.sum(1)).remainder(new Scalar(length)));
    }
  }

  /**
   * {@return random entries, the same places of all groups: [groups x count, size]}
   *
   * @param draws of the step
   * @param stream tells the draws of one step apart
   * @param count at most as many as the queue is long
   */
  Tensor sample(Draws draws, long stream, long count) {
    Tensor places =
        permutation(draws, stream, entries.size(1), entries.device()).narrow(0, 0, count);
    return entries.index_select(1, places).flatten(0, 1);
  }

  /** {@return the numbers below a length in a random order} */
  static Tensor permutation(Draws draws, long stream, long length, Device device) {
    return draws.uniform(stream, device, length).argsort();
  }

  /**
   * Sums over rows KL(teacher, student) of their distributions over samples of a memory.
   *
   * @param student unit vectors [M, size]
   * @param teacher the same
   * @param samples [n, size]
   * @param temperature of the products with the samples
   * @param kdTemperature of the distributions, whose square multiplies the sum
   */
  static Tensor divergence(
      Tensor student, Tensor teacher, Tensor samples, double temperature, double kdTemperature) {
    Scalar scale = new Scalar(1 / (temperature * kdTemperature));
    Tensor logP = student.mm(samples.t()).mul(scale).log_softmax(1);
    Tensor logQ = teacher.mm(samples.t()).mul(scale).log_softmax(1);
    Tensor ofRows = Rows.sum(logQ.exp().mul(logQ.sub(logP)));
    return Rows.sumOfAll(ofRows).mul(new Scalar(kdTemperature * kdTemperature));
  }
}
