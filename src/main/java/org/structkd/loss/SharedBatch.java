package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * A batch of which several ranks have a share each, for losses that can join what they make of the
 * shares. All ranks call the same methods in the same order.
 */
public interface SharedBatch {
  /** {@return how many ranks share the batch} */
  int ranks();

  /**
   * Replaces a tensor by the sum of those of all ranks.
   *
   * @param own dense, of the same shape on all ranks, without a gradient
   */
  void add(Tensor own);

  /**
   * {@return the sum of a tensor over all ranks, as a function of this rank's} Its gradient is that
   * of the sum times the number of ranks, since a training takes the mean of their gradients.
   *
   * @param own of the same shape on all ranks
   */
  default Tensor sum(Tensor own) {
    Tensor all = own.detach().clone();
    add(all);
    Tensor scaled = own.mul(new Scalar(ranks()));
    return scaled.add(all.sub(scaled.detach()));
  }
}
