package org.structkd.train;

/**
 * How long to train and what to do on the way.
 *
 * @param steps of the whole training, 1 or more
 * @param learningRate of Adam, by step
 * @param evaluateEvery steps between evaluations; 0 for none. Goes with {@link
 *     Distiller#withEvaluation}
 * @param checkpointEvery steps between checkpoints; 0 for none but the last. Goes with {@link
 *     Distiller#withCheckpoint}
 */
public record TrainingConfig(
    long steps, LearningRate learningRate, long evaluateEvery, long checkpointEvery) {
  /** Checks the numbers. */
  public TrainingConfig {
    if (steps < 1) {
      throw new IllegalArgumentException("steps must be 1 or more but is " + steps);
    }
    if (evaluateEvery < 0 || checkpointEvery < 0) {
      throw new IllegalArgumentException(
          "steps between evaluations and between checkpoints must be 0 or more but are "
              + evaluateEvery
              + " and "
              + checkpointEvery);
    }
  }
}
