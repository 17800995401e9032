package org.structkd.train;

/** What may differ between a training and the checkpoint that it continues from. */
public enum Resume {
  /** Nothing: a checkpoint of another training is refused, and what differs is named. */
  SAME,

  /**
   * The number of steps may be greater than it was.
   *
   * <p>The learning rate then follows the decay of the longer training from the next step on: it
   * jumps up from where the shorter decay had brought it ({@link org.structkd.optim.Schedule#poly}:
   * from nearly 0 to base (1 - done / steps)^0.9), a warm restart. So the result is not that of a
   * training that was as long from its beginning. A weight that depends on the number of steps, as
   * adaptive ones do, counts as changed.
   */
  LONGER,

  /**
   * Weights, losses, teachers, batches, optimizer, steps and description may differ: the training
   * goes on with the new ones, and a warning names what changed. The steps before were those of the
   * old ones; if all steps were done before, nothing is left to do. What a new loss trains begins
   * as its seed makes it, which a warning tells, too; what a loss trained that is gone is dropped.
   */
  CHANGED
}
