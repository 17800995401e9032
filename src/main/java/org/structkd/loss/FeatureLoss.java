package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;

/** A loss between one map of the student and the same map of the teacher. */
@FunctionalInterface
public interface FeatureLoss {
  /**
   * Computes the loss of one batch.
   *
   * @param student map [B, C, H, W]; what else it takes, the loss says
   * @param teacher map of the same batch; constant even if it requires grad
   * @return a scalar, attached to the caller's PointerScope
   */
  Tensor forward(Tensor student, Tensor teacher);

  /**
   * The same over the labelled positions: those whose label is the ignore index or -1 take no part
   * and get gradient 0.
   *
   * @param student map
   * @param teacher map
   * @param labels integers [B, H', W'] of any size, resized to the positions that are compared by
   *     the nearest neighbour: position h takes row floor(h H' / H)
   * @param ignoreIndex the label of positions that take no part, usually 255
   * @return a scalar, attached to the caller's PointerScope
   * @throws IllegalArgumentException if this loss has no rule for positions that take no part
   */
  default Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    throw new IllegalArgumentException(
        "this loss has no rule for positions without a label, so it cannot leave out those of the"
            + " ignoreIndex "
            + ignoreIndex);
  }
}
