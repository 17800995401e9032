package org.structkd.model;

import java.io.IOException;
import java.util.Arrays;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A tensor that lies in a file or shall be written to one: dense, row-major, little-endian as all
 * platforms that LibTorch's presets run on.
 *
 * @param type of its elements
 * @param shape sizes
 * @param elements where they are
 */
record StoredTensor(ElementType type, long[] shape, Elements elements) {
  /** Largest piece that is on the heap at once; large enough that the disk sets the pace. */
  private static final int CHUNK = 1 << 18;

  /** The bytes of a tensor, piece by piece and in order. */
  @FunctionalInterface
  interface Elements {
    /** Hands over all bytes. */
    void forEach(Chunks to) throws IOException;
  }

  /** Takes the next bytes: the first of an array that is used again afterwards. */
  @FunctionalInterface
  interface Chunks {
    /** Takes the first {@code length} bytes. */
    void take(byte[] chunk, int length) throws IOException;
  }

  /** Copies a part of something into an array. */
  @FunctionalInterface
  interface Reader {
    /** Reads {@code length} bytes that begin {@code at} into the beginning of {@code chunk}. */
    void read(long at, byte[] chunk, int length) throws IOException;
  }

  /** {@return bytes that a reader can read at any place} */
  static Elements readBy(Reader reader, long begin, long end) {
    return to -> {
      byte[] chunk = new byte[(int) Math.min(CHUNK, end - begin)];
      for (long at = begin; at < end; at += chunk.length) {
        int length = (int) Math.min(chunk.length, end - at);
        reader.read(at, chunk, length);
        to.take(chunk, length);
      }
    };
  }

  /** {@return what a tensor holds whenever it is asked, not a copy} It must live as long. */
  static StoredTensor of(Tensor tensor) {
    return new StoredTensor(
        ElementType.of(tensor),
        tensor.shape(),
        to -> {
          try (PointerScope temporaries = new PointerScope()) {
            Tensor dense = tensor.detach().cpu().contiguous();
            BytePointer memory = memoryOf(dense);
            readBy(
                    (at, chunk, length) -> memory.position(at).get(chunk, 0, length),
                    0,
                    memory.capacity())
                .forEach(to);
          }
        });
  }

  /** {@return whether a tensor has this type and shape} */
  boolean fits(Tensor tensor) {
    return type == ElementType.of(tensor) && Arrays.equals(shape, tensor.shape());
  }

  /** Writes the elements into a tensor that {@link #fits}, on any device. */
  void copyTo(Tensor tensor) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      if (tensor.is_cpu() && tensor.is_contiguous()) {
        fill(tensor);
      } else {
        tensor.detach().copy_(load());
      }
    }
  }

  /** {@return a new tensor on the CPU, in the scope that is open} */
  Tensor load() throws IOException {
    Tensor tensor = torch.empty(shape, new TensorOptions(type.scalar), null);
    fill(tensor);
    return tensor;
  }

  private void fill(Tensor dense) throws IOException {
    BytePointer memory = memoryOf(dense);
    elements.forEach(
        (chunk, length) -> {
          memory.put(chunk, 0, length);
          memory.position(memory.position() + length);
        });
  }

  private static BytePointer memoryOf(Tensor dense) {
    return new BytePointer(dense.data_ptr()).capacity(dense.numel() * dense.element_size());
  }

  /** {@return number of bytes} */
  long length() {
    long length = type.bytes;
    for (long size : shape) {
      length *= size;
    }
    return length;
  }

  /** "F32 [8, 1, 3, 3]". */
  String describe() {
    return type + " " + Arrays.toString(shape);
  }
}
