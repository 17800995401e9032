package org.structkd.model;

import java.util.Arrays;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A tensor as it lies in a file: dense, row-major, in this machine's byte order.
 *
 * @param dtype LibTorch's name of the element type, such as "Float"
 * @param shape sizes
 * @param bytes the elements
 */
record StoredTensor(String dtype, long[] shape, byte[] bytes) {
  /** Copies a tensor from any device. */
  static StoredTensor of(Tensor tensor) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor dense = tensor.detach().cpu().contiguous();
      byte[] bytes = new byte[Math.toIntExact(dense.numel() * dense.element_size())];
      new BytePointer(dense.data_ptr()).capacity(bytes.length).get(bytes);
      return new StoredTensor(tensor.scalar_type().intern().name(), tensor.shape(), bytes);
    }
  }

  /** {@return whether a tensor has this type and shape} */
  boolean fits(Tensor tensor) {
    return dtype.equals(tensor.scalar_type().intern().name())
        && Arrays.equals(shape, tensor.shape());
  }

  /** Writes the elements into a tensor that {@link #fits}, on any device. */
  void copyTo(Tensor tensor) {
    try (PointerScope temporaries = new PointerScope()) {
      TensorOptions options = new TensorOptions(ScalarType.valueOf(dtype));
      Tensor dense = torch.empty(shape, options, null);
      new BytePointer(dense.data_ptr()).capacity(bytes.length).put(bytes);
      tensor.detach().copy_(dense);
    }
  }

  /** "Float [8, 1, 3, 3]". */
  String describe() {
    return dtype + " " + Arrays.toString(shape);
  }
}
