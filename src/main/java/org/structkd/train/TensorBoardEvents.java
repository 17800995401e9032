package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.structkd.metric.Score;
import org.structkd.objective.StepLoss;

/**
 * Writes a training for TensorBoard: the scalars {@code loss/total}, {@code loss/TERM} (weighted,
 * as it enters the total) and {@code learning_rate} of every tenth step, and {@code
 * validation/NUMBER} of each evaluation, by steps done.
 *
 * <pre>{@code
 * distiller.withListener(TensorBoardEvents.in(folder.resolve("student"))).train(student);
 * // tensorboard --logdir FOLDER
 * }</pre>
 *
 * <p>When a training continues, what was written after its checkpoint is taken out of the file, so
 * that no step comes twice. A TensorBoard that runs meanwhile follows the file once it is loaded
 * again. One training at a time may write to a folder.
 */
public final class TensorBoardEvents implements TrainingListener {
  /** TensorBoard reads files whose names hold {@code tfevents}. */
  private static final String NAME = "events.out.tfevents.structkd";

  private static final double MILLIS = 1000;

  private final Path file;
  private final LogFile log;

  private TensorBoardEvents(Path file) {
    this.file = file;
    log = new LogFile(file);
  }

  /**
   * Makes folder and file, or goes on with those that are there.
   *
   * @param folder of this training, which TensorBoard calls a run; is made where there is none
   * @return a listener for one training
   * @throws IOException if it cannot be written
   */
  public static TensorBoardEvents in(Path folder) throws IOException {
    TensorBoardEvents events = new TensorBoardEvents(folder.resolve(NAME));
    Uninterrupted.run(
        () -> {
          try {
            Files.createDirectories(folder);
          } catch (IOException e) {
            throw new IOException(folder + " cannot be made: " + AtomicFile.reason(e), e);
          }
          if (!Files.exists(events.file)) {
            events.replace(EventFile.first(now()));
          }
        });
    return events;
  }

  private void replace(byte[] content) throws IOException {
    AtomicFile.write(file, to -> to.write(content));
  }

  private static double now() {
    return System.currentTimeMillis() / MILLIS;
  }

  @Override
  public void onStart(long firstStep, long steps) {
    log.open(() -> cutBack(firstStep));
  }

  private void cutBack(long firstStep) throws IOException {
    byte[] found = Files.readAllBytes(file);
    byte[] kept = EventFile.until(found, firstStep);
    if (kept.length == 0) {
      replace(EventFile.first(now()));
    } else if (kept.length < found.length) {
      replace(kept);
    }
  }

  @Override
  public void onStep(StepLoss loss, double learningRate) {
    long stepsDone = loss.step() + 1;
    if (stepsDone % MetricsCsv.EVERY != 0) {
      return;
    }
    Map<String, Float> values = new LinkedHashMap<>();
    values.put("loss/total", (float) loss.value());
    loss.terms().forEach(term -> values.put("loss/" + term.name(), (float) term.weighted()));
    values.put("learning_rate", (float) learningRate);
    write(stepsDone, values);
  }

  @Override
  public void onEvaluation(long stepsDone, Score score, int sinceBest) {
    Map<String, Float> values = new LinkedHashMap<>();
    score
        .numbers()
        .forEach(number -> values.put("validation/" + number.name(), (float) number.value()));
    write(stepsDone, values);
  }

  private void write(long stepsDone, Map<String, Float> values) {
    log.append(EventFile.scalars(now(), stepsDone, values));
  }

  @Override
  public void onEnd(TrainingOutcome outcome) {
    log.close();
  }

  @Override
  public void onFailure(long stepsDone, Throwable cause) {
    log.close();
  }
}
