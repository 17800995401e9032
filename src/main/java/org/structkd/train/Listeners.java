package org.structkd.train;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.structkd.metric.Score;
import org.structkd.objective.StepLoss;

/**
 * Tells all listeners of a training, even if one of them fails: what a log has must not depend on
 * another listener. The first failure is thrown afterwards.
 */
final class Listeners implements TrainingListener {
  private final List<TrainingListener> all;

  Listeners(List<TrainingListener> all) {
    this.all = List.copyOf(all);
  }

  private void tell(Consumer<TrainingListener> event) {
    @Nullable Throwable first = null;
    for (TrainingListener listener : all) {
      try {
        event.accept(listener);
      } catch (RuntimeException | Error e) {
        if (first == null) {
          first = e;
        } else if (first != e) {
          first.addSuppressed(e);
        }
      }
    }
    if (first instanceof Error error) {
      throw error;
    }
    if (first != null) {
      throw (RuntimeException) first;
    }
  }

  @Override
  public void onResume(long stepsDone, int sinceBest) {
    tell(listener -> listener.onResume(stepsDone, sinceBest));
  }

  @Override
  public void onStart(long firstStep, long steps) {
    tell(listener -> listener.onStart(firstStep, steps));
  }

  @Override
  public void onBatches(Loading soFar) {
    tell(listener -> listener.onBatches(soFar));
  }

  @Override
  public void onStep(StepLoss loss, double learningRate) {
    tell(listener -> listener.onStep(loss, learningRate));
  }

  @Override
  public void onEvaluation(long stepsDone, Score score, int sinceBest) {
    tell(listener -> listener.onEvaluation(stepsDone, score, sinceBest));
  }

  @Override
  public void onWarning(String sentence) {
    tell(listener -> listener.onWarning(sentence));
  }

  @Override
  public void onCheckpoint(long stepsDone, Path file) {
    tell(listener -> listener.onCheckpoint(stepsDone, file));
  }

  @Override
  public void onFailure(long stepsDone, Throwable cause) {
    tell(listener -> listener.onFailure(stepsDone, cause));
  }

  @Override
  public void onEnd(TrainingOutcome outcome) {
    tell(listener -> listener.onEnd(outcome));
  }
}
