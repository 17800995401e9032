package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;

/**
 * Where a layer is active: the mean over channels of |f|^power at each position, of length 1 in
 * each image.
 *
 * <p>Source: szagoruyko/attention-transfer, {@code utils.py}.
 */
final class AttentionMap {
  private AttentionMap() {}

  /** Refuses a layer of one position. */
  static void refuseOnePosition(MapView layer) {
    ConstantLoss.refuseIf(
        layer.map().size(2) * layer.map().size(3) == 1,
        layer,
        "has one position, whose attention is 1 whatever is there; expected 2 or more");
  }

  /** {@return [B, N] of a layer in f32 or f64} An image of zeros has zeros and gradient 0. */
  static Tensor of(MapView layer, double power) {
    Tensor energies = layer.map().abs().pow(new Scalar(power));
    return Rows.unit(energies.mean(1).flatten(1, 2));
  }
}
