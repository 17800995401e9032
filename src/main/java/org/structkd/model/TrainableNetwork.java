package org.structkd.model;

import java.util.Map;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.ModuleModes;

/** A network that can be a student. */
public interface TrainableNetwork extends TappedNetwork {
  /**
   * Computes the outputs so that they can be differentiated, in the modes that its submodules are
   * in.
   *
   * @param images [B, C, H, W], on the device of the network
   * @return one tensor for each of {@link #taps}, in the caller's PointerScope
   */
  Map<String, Tensor> forward(Tensor images);

  /** {@inheritDoc} Afterwards every submodule is again in the mode that it was in. */
  @Override
  default Map<String, Tensor> infer(Tensor images) {
    try (ModuleModes before = ModuleModes.evaluating(module());
        NoGradGuard noGrad = new NoGradGuard()) {
      return forward(images);
    }
  }

  /** {@return the LibTorch module with all parameters and buffers} */
  Module module();

  /** {@return a digest of all parameters and buffers as they are now} */
  @Override
  default String fingerprint() {
    return Fingerprint.of(module());
  }
}
