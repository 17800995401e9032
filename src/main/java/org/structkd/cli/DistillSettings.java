package org.structkd.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.train.DistillationMethod;

/** Everything that a run of distill depends on; config.json of its folder. */
record DistillSettings(
    DistillationMethod method,
    Map<String, Double> weights,
    int seeds,
    long seed,
    long steps,
    int batch,
    int labelled,
    double learningRate,
    int studentWidth,
    long checkpointEvery,
    int testScenes,
    @Nullable String teacher,
    @Nullable String data,
    int threads) {
  /** Refuses a file of another command: Gson leaves null or 0 what it does not find. */
  DistillSettings {
    if (method == null || weights == null || steps < 1 || seeds < 1 || testScenes < 1) {
      throw new IllegalArgumentException("method, weights, steps, seeds or testScenes is missing");
    }
  }

  /** What a training of this run depends on, beside what a checkpoint knows anyway. */
  String training(long seed) {
    return "seed " + seed + ", labelled " + labelled;
  }

  /** Everything that a training of this run depends on, for whoever finds its weights. */
  String description(long seed) {
    return "seed %d, batch %d, labelled %d, width %d, %s %s, teacher %s, data %s"
        .formatted(
            seed,
            batch,
            labelled,
            studentWidth,
            method,
            weights,
            teacher == null ? "bundled" : teacher,
            data == null ? "bundled" : data);
  }
}
