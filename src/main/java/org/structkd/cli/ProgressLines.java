package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.structkd.metric.Score;
import org.structkd.objective.StepLoss;
import org.structkd.train.TrainingListener;

/**
 * Tells how far a training is where there is no terminal: a line for every tenth of it, with rate,
 * time left, losses and what the last evaluation said.
 */
final class ProgressLines implements TrainingListener {
  private static final int LINES = 10;

  private final PrintWriter out;
  private final String title;
  private long first;
  private long steps;
  private long start;
  private String score = "";

  private ProgressLines(PrintWriter out, String title) {
    this.out = out;
    this.title = title;
  }

  /** The bar on a terminal, lines elsewhere. */
  static TrainingListener on(PrintWriter out, String title) {
    return isTerminal() ? new ProgressBarListener(title) : new ProgressLines(out, title);
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
  public void onStep(StepLoss loss, double learningRate) {
    long done = loss.step() + 1;
    long interval = (steps + LINES - 1) / LINES;
    if (done != steps && (done % interval != 0 || steps - done < interval)) {
      return;
    }
    double rate = (done - first) / ((System.nanoTime() - start) / 1e9);
    out.printf(
        "  %6d/%d  %6.1f steps/s  %4.0f s left  %s%s%n",
        done, steps, rate, (steps - done) / rate, losses(loss), score);
    out.flush();
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
