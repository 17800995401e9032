package org.structkd.loss;

import java.util.Map;
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

  /**
   * A part that learns against the student: a discriminator. It may have layers that learn with the
   * student beside it, such as a connector whose results it judges.
   */
  interface Opponent extends TrainedPart {
    /**
     * {@return what learns against the student, by what the names of its parameters begin with in
     * {@link #module}; all of it unless a part says otherwise}
     */
    default Map<String, Module> against() {
      return Map.of("", module());
    }

    /**
     * {@return what learns with the student by the student's optimizer, by what the names of its
     * parameters begin with in {@link #module}; nothing unless a part says otherwise}
     */
    default Map<String, Module> alongside() {
      return Map.of();
    }

    /**
     * Computes what this part minimises in a step. Its gradient reaches {@link #against} alone.
     *
     * @param inputs those of the student's loss, out of the student's graph
     * @return a scalar with a grad_fn, in the caller's PointerScope
     */
    Tensor objective(LossInputs inputs);
  }
}
