package org.structkd.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.structkd.metric.Score;
import org.structkd.model.TensorFile;

/**
 * Keeps the weights of the best evaluation so far in a file of their own, by the leading number of
 * its score. A training that continues goes on comparing with the best one before.
 *
 * <pre>{@code
 * distiller.withListener(new BestCheckpoint(folder.resolve("best.safetensors"), student::toFile))
 * }</pre>
 */
public final class BestCheckpoint implements TrainingListener {
  private final Path file;
  private final Function<Map<String, String>, TensorFile> weights;

  /**
   * A file for the best weights.
   *
   * @param file where; its folder must exist
   * @param weights makes a file of the student's weights as they are when it is written, with these
   *     properties: steps, and the score's numbers by name
   */
  public BestCheckpoint(Path file, Function<Map<String, String>, TensorFile> weights) {
    this.file = Objects.requireNonNull(file, "file");
    this.weights = Objects.requireNonNull(weights, "weights");
  }

  @Override
  public void onEvaluation(long stepsDone, Score score, int sinceBest) {
    if (sinceBest > 0) {
      return;
    }
    Score.Number leading = score.leading();
    TensorFile best =
        weights.apply(
            Map.of(
                "steps",
                Long.toString(stepsDone),
                "validation_" + leading.name(),
                Double.toString(leading.value())));
    try {
      AtomicFile.write(file, best::write);
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }
}
