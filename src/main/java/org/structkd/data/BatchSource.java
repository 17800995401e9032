package org.structkd.data;

/**
 * Where training takes its batches from: a pure function of the step, so that a training that
 * continues sees what it would have seen.
 */
@FunctionalInterface
public interface BatchSource {
  /**
   * Prepares the batch of one step. Called on a thread of its own, in the order of the steps:
   * reading and composing belong here, LibTorch does not (each thread that uses it gets a pool of
   * workers).
   *
   * @param step counted from 0
   * @return the rest of the work
   * @throws Exception if there is no batch: training ends with it
   */
  Prepared prepare(long step) throws Exception;

  /** A batch that only needs to become tensors. */
  @FunctionalInterface
  interface Prepared {
    /** {@return the tensors, in the caller's PointerScope} Called on the thread that trains. */
    Batch tensors();
  }
}
