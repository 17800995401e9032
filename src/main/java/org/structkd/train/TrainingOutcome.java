package org.structkd.train;

/**
 * How a training ended.
 *
 * @param stepsDone of the whole training, those before it continued included
 * @param complete false if a {@link StopSignal} ended it
 * @param stepNanos time of all these steps together, without evaluations and checkpoints
 * @param waitedNanos part of it that was spent waiting for batches
 */
public record TrainingOutcome(long stepsDone, boolean complete, long stepNanos, long waitedNanos) {
  /** {@return mean time of a step} */
  public double millisPerStep() {
    return stepNanos / 1e6 / Math.max(1, stepsDone);
  }
}
