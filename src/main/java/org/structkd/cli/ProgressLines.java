package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.structkd.metric.Score;
import org.structkd.objective.StepLoss;
import org.structkd.train.Loading;
import org.structkd.train.TrainingListener;
import org.structkd.train.TrainingOutcome;

/**
 * Tells how far a training is where there is no terminal: a line for every tenth of it, with rate,
 * time left, losses and what the last evaluation said.
 */
final class ProgressLines implements TrainingListener {
  private static final int LINES = 10;

  /** Less of the time that is waited for batches does not matter. */
  private static final long LEAST_PERCENT = 5;

  private final PrintWriter out;
  private final String title;
  private long first;
  private long steps;
  private long start;
  private @Nullable Loading loading;
  private String score = "";

  private ProgressLines(PrintWriter out, String title) {
    this.out = out;
    this.title = title;
  }

  /** The bar on a terminal, lines elsewhere. */
  static TrainingListener on(PrintWriter out, String title) {
    return isTerminal() ? new ProgressBarListener(out, title) : new ProgressLines(out, title);
  }

  /**
   * Asks the system whether standard output is one: what Java's Console says differs by version.
   */
  private static boolean isTerminal() {
    try {
      Path standardOutput = Files.readSymbolicLink(Path.of("/proc/self/fd/1"));
      return standardOutput.startsWith("/dev/pts")
          || standardOutput.toString().startsWith("/dev/tty");
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public void onStart(long firstStep, long steps) {
    this.first = firstStep;
    this.steps = steps;
    start = System.nanoTime();
    out.println(title);
  }

  @Override
  public void onBatches(Loading soFar) {
    loading = soFar;
  }

  @Override
  public void onStep(StepLoss loss, double learningRate) {
    long done = loss.step() + 1;
    long interval = (steps + LINES - 1) / LINES;
    if (done != steps && (done % interval != 0 || steps - done < interval)) {
      return;
    }
    long nanos = System.nanoTime() - start;
    double rate = (done - first) / (nanos / 1e9);
    out.printf(
        "  %6d/%d  %6.1f steps/s  %4.0f s left  %s%s%n",
        done, steps, rate, (steps - done) / rate, waits(loading, nanos), losses(loss) + score);
    out.flush();
  }

  @Override
  public void onEnd(TrainingOutcome outcome) {
    out.print(early(outcome, steps));
    out.print(batches(outcome.loading(), System.nanoTime() - start));
    out.flush();
  }

  /**
   * {@return which share of the time a training waited for batches, and how fast examples come, if
   * that is worth a word}
   */
  static String waits(@Nullable Loading soFar, long nanos) {
    // No step waits for a batch longer than it takes to prepare; the rest is a thread that begins.
    long percent =
        soFar == null
            ? 0
            : Math.round(100.0 * Math.min(soFar.waitedNanos(), soFar.preparedNanos()) / nanos);
    return percent < LEAST_PERCENT
        ? ""
        : "waits %d %% for %.0f examples/s  ".formatted(percent, soFar.examplesPerSecond());
  }

  /** A line about a training that ended before its last step because it got no better. */
  static String early(TrainingOutcome outcome, long steps) {
    return outcome.complete() && outcome.stepsDone() < steps
        ? "  ended early, after %d of %d steps: evaluations got no better%n"
            .formatted(outcome.stepsDone(), steps)
        : "";
  }

  /** A line: how fast examples come, how fast they are learned, and how long steps waited. */
  static String batches(Loading loading, long nanos) {
    return loading.batches() == 0
        ? ""
        : "  examples/s: %.0f can be prepared, %.0f learned; waited %.1f of %.1f s for them%n"
            .formatted(
                loading.examplesPerSecond(),
                loading.examples() / (nanos / 1e9),
                loading.waitedNanos() / 1e9,
                nanos / 1e9);
  }

  @Override
  public void onEvaluation(long stepsDone, Score score, int sinceBest) {
    this.score = leading(score);
  }

  /** The number that leads, with its unit. */
  static String leading(Score score) {
    Score.Number number = score.leading();
    return "  %s %.4f%s"
        .formatted(
            number.title(), number.value(), number.unit().isEmpty() ? "" : " " + number.unit());
  }

  /** Each term as it enters the sum. */
  static String losses(StepLoss loss) {
    return loss.terms().stream()
        .map(term -> String.format("%s %.4f", term.name(), term.weighted()))
        .collect(Collectors.joining("  "));
  }
}
