package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;

/** A loss between one map of the student and the same map of the teacher. */
@FunctionalInterface
public interface FeatureLoss {
  /**
   * Computes the loss of one batch.
   *
   * @param student map [B, C, H, W]
   * @param teacher map of the same batch; constant even if it requires grad
   * @return a scalar, attached to the caller's PointerScope
   */
  Tensor forward(Tensor student, Tensor teacher);
}
