package org.structkd.train;

/**
 * How a training ended.
 *
 * @param stepsDone of the whole training, those before it continued included
 * @param complete false if a {@link StopSignal} ended it; true also where an {@link EarlyStop} did
 * @param timedSteps those whose time was taken: all but the first ten of each process, in which the
 *     JVM compiles and LibTorch fills its caches
 * @param stepNanos time of the timed steps together, without evaluations and checkpoints
 * @param loading how the batches of all steps of this process came
 */
public record TrainingOutcome(
    long stepsDone, boolean complete, long timedSteps, long stepNanos, Loading loading) {
  /** {@return mean time of a step, NaN if none was timed} */
  public double millisPerStep() {
    return timedSteps == 0 ? Double.NaN : stepNanos / 1e6 / timedSteps;
  }
}
