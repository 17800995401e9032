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

  /**
   * {@return what one of several ranks learns from: its share of each batch} The whole batch is
   * prepared on every rank unless a source overrides this.
   *
   * @param rank 0 to of - 1
   * @param of how many share each batch
   */
  default BatchSource share(int rank, int of) {
    return of == 1
        ? this
        : step -> {
          Prepared whole = prepare(step);
          return () -> whole.tensors().share(rank, of);
        };
  }

  /** A batch that only needs to become tensors. */
  @FunctionalInterface
  interface Prepared {
    /** {@return the tensors, in the caller's PointerScope} Called on the thread that trains. */
    Batch tensors();
  }
}
