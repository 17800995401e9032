package org.structkd.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import org.structkd.metric.Score;
import org.structkd.objective.StepLoss;
import org.structkd.train.Loading;
import org.structkd.train.TrainingListener;
import org.structkd.train.TrainingOutcome;

/**
 * Tells how far a training is on a terminal: a bar with rate, time left, losses and what the last
 * evaluation said.
 */
final class ProgressBarListener implements TrainingListener {
  private static final int REDRAW_MILLIS = 200;

  private final PrintWriter out;
  private final String title;
  private long steps;
  private long start;
  private @Nullable Loading loading;
  private @Nullable ProgressBar bar;
  private String score = "";

  /** A bar on standard output; the line at its end goes to {@code out}. */
  ProgressBarListener(PrintWriter out, String title) {
    this.out = out;
    this.title = title;
  }

  @Override
  public void onStart(long firstStep, long steps) {
    this.steps = steps;
    start = System.nanoTime();
    bar =
        new ProgressBarBuilder()
            .setTaskName(title)
            .setInitialMax(steps)
            .startsFrom(firstStep, Duration.ZERO)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(REDRAW_MILLIS)
            .setConsumer(new ConsoleProgressBarConsumer(System.out))
            .setSpeedUnit(ChronoUnit.SECONDS)
            .showSpeed()
            .build();
  }

  @Override
  public void onBatches(Loading soFar) {
    loading = soFar;
  }

  @Override
  public void onStep(StepLoss loss, double learningRate) {
    if (bar != null) {
      String waits = ProgressLines.waits(loading, System.nanoTime() - start);
      bar.stepTo(loss.step() + 1).setExtraMessage(" " + waits + ProgressLines.losses(loss) + score);
    }
  }

  @Override
  public void onEvaluation(long stepsDone, Score score, int sinceBest) {
    this.score = ProgressLines.leading(score);
  }

  @Override
  public void onEnd(TrainingOutcome outcome) {
    if (bar != null) {
      bar.close();
    }
    out.print(ProgressLines.early(outcome, steps));
    out.print(ProgressLines.batches(outcome.loading(), System.nanoTime() - start));
    out.flush();
  }
}
