package org.structkd.data;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;

/**
 * A batch of scenes as LibTorch tensors, on the CPU.
 *
 * <p>Both tensors own their memory and belong to the {@code PointerScope} that is open where {@link
 * #of} is called. Without one they live until {@link #close} or the garbage collector.
 *
 * @param images f32 [B, 1, 48, 48], intensities
 * @param labels i64 [B, 48, 48], classes 0 to 10, {@link SceneBatches#UNLABELLED} where there is
 *     none
 */
public record SceneTensors(Tensor images, Tensor labels) implements AutoCloseable {
  /**
   * Copies a batch into tensors.
   *
   * @param batch the scenes
   * @return two new tensors, in the caller's PointerScope
   */
  @SuppressWarnings({"unchecked", "try"}) // a generic varargs array; a scope is opened, not read
  public static SceneTensors of(SceneBatch batch) {
    int b = batch.size();
    int size = FashionScenes.SIZE;
    long[] classes = new long[batch.labels().length];
    for (int i = 0; i < classes.length; i++) {
      classes[i] = Byte.toUnsignedInt(batch.labels()[i]);
    }
    // The presets' create() makes options and devices on its way. A scope of just these classes
    // releases them and lets the tensors pass on to the caller's scope.
    try (PointerScope temporaries = new PointerScope(TensorOptions.class, Device.class)) {
      return new SceneTensors(
          Tensor.create(batch.images(), b, 1, size, size), Tensor.create(classes, b, size, size));
    }
  }

  /** {@return the same two tensors as a batch of images with labels} */
  public Batch toBatch() {
    return Batch.of(images, labels);
  }

  /** Releases both tensors ahead of their scope. May be called twice. */
  @Override
  public void close() {
    images.close();
    labels.close();
  }
}
