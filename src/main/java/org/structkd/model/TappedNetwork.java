package org.structkd.model;

import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;

/**
 * A network that names what it reads and what it puts out: its "taps". Enough to be a teacher.
 *
 * <p>It owns what it needs until it is closed, whatever PointerScope it was made in. Not safe for
 * several threads at once.
 */
public interface TappedNetwork extends AutoCloseable {
  /** The usual input. */
  String IMAGES = Batch.IMAGES;

  /** {@return the names of the outputs} */
  Set<String> taps();

  /**
   * {@return the names of the inputs that it reads} By default {@link #IMAGES} alone; networks of
   * one training may read different ones of a batch.
   */
  default Set<String> inputs() {
    return Set.of(IMAGES);
  }

  /**
   * {@return this network, reading inputs by the names that they have in a batch} Closing it closes
   * this one.
   *
   * @param names the batch's name for each input where it differs, such as {"images": "sar"}
   * @throws IllegalArgumentException if the network has no such input
   */
  default TappedNetwork withInputs(Map<String, String> names) {
    return names.isEmpty() ? this : new RenamedInputs(this, names);
  }

  /**
   * {@return the number that heights and widths of images must be multiples of, 1 where any fits}
   * By default 0: the network does not tell, and may know a single size.
   */
  default int sizeMultiple() {
    return 0;
  }

  /**
   * Computes the outputs in evaluation mode and without a gradient. Afterwards every submodule is
   * again in the mode that it was in.
   *
   * @param inputs at least those of {@link #inputs}, on the device of the network
   * @return one tensor for each of {@link #taps}, in the caller's PointerScope
   * @throws IllegalArgumentException if an input is missing or does not fit
   */
  Map<String, Tensor> infer(Map<String, Tensor> inputs);

  /**
   * Computes the outputs of a network that reads images alone.
   *
   * @param images [B, C, H, W], on the device of the network
   * @return as {@link #infer(Map)}
   */
  default Map<String, Tensor> infer(Tensor images) {
    return infer(Map.of(IMAGES, images));
  }

  /**
   * Moves parameters and buffers.
   *
   * @param device where to
   */
  void to(Device device);

  /**
   * {@return a text that tells this network from another, such as a digest of its weights} A
   * checkpoint keeps that of its teacher, so that a training does not continue with another one
   * unnoticed. By default only the name of the class.
   */
  default String fingerprint() {
    return getClass().getName();
  }

  /** {@return whether layers of it compute with numbers of 8 bits} By default none does. */
  default boolean isQuantized() {
    return false;
  }

  /**
   * Releases parameters and buffers; afterwards the network refuses to be used. May be called
   * twice. A network that leaves this to Java's collector has nothing to do.
   */
  @Override
  default void close() {}
}
