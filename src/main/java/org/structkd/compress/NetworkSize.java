package org.structkd.compress;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.structkd.model.StateDict;

/**
 * How large a network is, by its parameters, and in bytes by how they would be stored. Bytes count
 * what a prediction needs: parameters and buffers of floating point, such as running statistics,
 * without names and headers.
 *
 * <p>They are counted, not measured: {@code sparseBytes} and {@code int8Bytes} are sizes of files
 * in such formats, whose kernels may be slower or faster than dense ones.
 *
 * @param parameters numbers that learn
 * @param nonZeros those of them that are not 0
 * @param denseBytes all as f32
 * @param sparseBytes weights of two and more dimensions as compressed sparse rows where that is
 *     less: a row for each output channel, with an f32 value and an i32 column for each number that
 *     is not 0, and i32 starts of the rows, one more than rows. The rest as f32
 * @param int8Bytes weights of two and more dimensions as one byte for each number, and an f32 scale
 *     for each output channel. The rest as f32
 */
public record NetworkSize(
    long parameters, long nonZeros, long denseBytes, long sparseBytes, long int8Bytes) {
  /** Bytes of an f32, and of an i32. */
  private static final long WORD = 4;

  /**
   * {@return the size of a module as its weights are now}
   *
   * @param module any
   */
  public static NetworkSize of(Module module) {
    try (PointerScope temporaries = new PointerScope()) {
      List<Tensor> parameters = List.copyOf(StateDict.parametersOf(module).values());
      List<Tensor> stored = new ArrayList<>(parameters);
      StateDict.buffersOf(module).values().stream()
          .filter(Tensor::is_floating_point)
          .forEach(stored::add);
      long sparse = 0;
      long int8 = 0;
      for (Tensor tensor : stored) {
        long dense = WORD * tensor.numel();
        boolean isWeight = tensor.dim() > 1;
        long rows = isWeight ? tensor.size(0) : 0;
        sparse +=
            isWeight ? Math.min(dense, 2 * WORD * nonZeros(tensor) + WORD * (rows + 1)) : dense;
        int8 += isWeight ? tensor.numel() + WORD * rows : dense;
      }
      return new NetworkSize(
          parameters.stream().mapToLong(Tensor::numel).sum(),
          parameters.stream().mapToLong(NetworkSize::nonZeros).sum(),
          WORD * stored.stream().mapToLong(Tensor::numel).sum(),
          sparse,
          int8);
    }
  }

  private static long nonZeros(Tensor tensor) {
    return tensor.count_nonzero().item_long();
  }
}
