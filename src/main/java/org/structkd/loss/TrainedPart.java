package org.structkd.loss;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/**
 * Layers that a loss trains beside the student, such as a connector, or state that it keeps, such
 * as a memory bank in buffers. It owns its module until it is closed, whatever PointerScope is
 * open.
 *
 * <p>Its parameters learn with the student, by the student's optimizer; those of an {@link
 * Opponent} learn by an objective and an optimizer of their own. For one thread at a time.
 */
public interface TrainedPart extends AutoCloseable {
  /** {@return parameters and buffers: what is optimized, moved and saved} */
  Module module();

  /** Releases the module. May be called twice. */
  @Override
  void close();

  /** A part that learns against the student: a discriminator. */
  interface Opponent extends TrainedPart {
    /**
     * Computes what this part minimises in a step.
     *
     * @param inputs those of the student's loss, out of the student's graph
     * @return a scalar with a grad_fn, in the caller's PointerScope
     */
    Tensor objective(LossInputs inputs);
  }
}
