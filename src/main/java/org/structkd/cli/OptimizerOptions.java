package org.structkd.cli;

import org.structkd.data.FashionScenes;
import org.structkd.optim.Adam;
import picocli.CommandLine.Option;

/** How each step of a training changes the weights. */
final class OptimizerOptions {
  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "16",
      description = "Scenes per step. Default: ${DEFAULT-VALUE}.")
  private int batch;

  @Option(
      names = "--learning-rate",
      paramLabel = "RATE",
      defaultValue = "0.01",
      description = "Greatest rate of Adam; it decays polynomially. Default: ${DEFAULT-VALUE}.")
  private double learningRate;

  int batch() {
    Ranges.require("--batch", batch, 1, FashionScenes.MAX_BATCH);
    return batch;
  }

  double learningRate() {
    try {
      return new Adam(learningRate).rate();
    } catch (IllegalArgumentException e) {
      throw new CommandFailure(CommandFailure.BAD_INPUT, "--learning-rate: " + e.getMessage());
    }
  }
}
