package org.structkd.model;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.ModuleModes;
import org.structkd.internal.NativeCall;

/** A network that can be a student. */
public interface TrainableNetwork extends TappedNetwork {
  /**
   * Computes the outputs so that they can be differentiated, in the modes that its submodules are
   * in.
   *
   * @param inputs at least those of {@link #inputs}, on the device of the network
   * @return one tensor for each of {@link #taps}, in the caller's PointerScope
   * @throws IllegalArgumentException if an input is missing or does not fit
   */
  Map<String, Tensor> forward(Map<String, Tensor> inputs);

  /**
   * Computes the outputs of a network that reads images alone.
   *
   * @param images [B, C, H, W], on the device of the network
   * @return as {@link #forward(Map)}
   */
  default Map<String, Tensor> forward(Tensor images) {
    return forward(Map.of(IMAGES, images));
  }

  /** {@return whether {@link #forward(Map, Recomputation)} keeps less} By default it does not. */
  default boolean hasStages() {
    return false;
  }

  /**
   * Computes the outputs as {@link #forward(Map)} does, without keeping the insides of stages.
   *
   * @param inputs as there
   * @param stages computes them; whoever differentiates the outputs calls its {@code backward} next
   * @return as there
   */
  default Map<String, Tensor> forward(Map<String, Tensor> inputs, Recomputation stages) {
    return forward(inputs);
  }

  @Override
  default Map<String, Tensor> infer(Map<String, Tensor> inputs) {
    try (ModuleModes before = ModuleModes.evaluating(module());
        NoGradGuard noGrad = new NoGradGuard()) {
      return forward(inputs);
    }
  }

  /**
   * {@return what each input must be, in the order in which a file tells them} None where only the
   * network knows: such a network can be trained and not exported.
   */
  default List<NetworkInput> reads() {
    return List.of();
  }

  /** {@return the LibTorch module with all parameters and buffers} */
  Module module();

  /**
   * {@return the layers that can be quantised, in the order in which they compute, while the
   * network is open} None where it has no such layers.
   */
  default List<ConvolutionLayer> convolutions() {
    return List.of();
  }

  @Override
  default boolean isQuantized() {
    return convolutions().stream().anyMatch(ConvolutionLayer::isQuantized);
  }

  /**
   * {@return what a file must say, by name, so that the network can be made again} Nothing where
   * whoever makes it knows.
   */
  default Map<String, String> shape() {
    return Map.of();
  }

  /**
   * {@return shape and weights: those that the network has when the file is written}
   *
   * @param properties what else the file shall say, by name
   */
  default TensorFile toFile(Map<String, String> properties) {
    TensorFile.Builder file = TensorFile.builder();
    shape().forEach(file::property);
    properties.forEach(file::property);
    StateDict.save(module(), file);
    return file.build("memory");
  }

  /**
   * Takes the weights out of a file that {@link #toFile} made of a network of this shape. Layers
   * that are quantised there are so here, too.
   *
   * @param file the file
   * @throws org.structkd.data.DataFileException if it belongs to another network
   * @throws IOException if it cannot be read
   */
  default void restore(TensorFile file) throws IOException {
    for (ConvolutionLayer layer : convolutions()) {
      if (file.names().contains(layer.rangeName())) {
        layer.addRange();
      }
    }
    StateDict.restore(module(), file);
  }

  /** {@inheritDoc} Those of {@link #module}. */
  @Override
  default void to(Device device) {
    NativeCall.run(() -> module().to(device, false));
  }

  /** {@return a digest of all parameters and buffers as they are now} */
  @Override
  default String fingerprint() {
    return Fingerprint.of(module());
  }
}
