package org.structkd.train;

import java.util.Objects;
import org.structkd.metric.Score;

/**
 * Ends a training whose evaluations get no better, by the leading number of their scores. Asked to
 * continue, such a training ends at once.
 */
public final class EarlyStop implements TrainingListener {
  private final int patience;
  private final StopSignal stop;
  private boolean stopped;

  /**
   * A rule of patience.
   *
   * @param patience evaluations in a row that may be no better than the best before, 1 or more
   * @param stop signal of the training ({@link Distiller#withStop}), which this gives
   */
  public EarlyStop(int patience, StopSignal stop) {
    if (patience < 1) {
      throw new IllegalArgumentException("patience must be 1 or more but is " + patience);
    }
    this.patience = patience;
    this.stop = Objects.requireNonNull(stop, "stop");
  }

  @Override
  public void onResume(long stepsDone, int sinceBest) {
    judge(sinceBest);
  }

  @Override
  public void onEvaluation(long stepsDone, Score score, int sinceBest) {
    judge(sinceBest);
  }

  private void judge(int sinceBest) {
    if (sinceBest >= patience) {
      stopped = true;
      stop.request();
    }
  }

  /** {@return whether it has ended the training} */
  public boolean hasStopped() {
    return stopped;
  }
}
