package org.structkd.train;

/**
 * How the batches of a training came, in this process. Where steps wait, examples are learned as
 * fast as they are prepared; where they do not, the preparation takes no time of the training.
 *
 * @param batches that steps have taken
 * @param examples of these batches
 * @param preparedNanos time in which they were prepared, ahead of the steps and on another thread
 * @param waitedNanos time that steps waited for them
 */
public record Loading(long batches, long examples, long preparedNanos, long waitedNanos) {
  /** {@return examples that are prepared in a second of work, NaN if there were none} */
  public double examplesPerSecond() {
    return batches == 0 ? Double.NaN : examples / (preparedNanos / 1e9);
  }
}
