package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.structkd.data.DataFileException;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.train.Distiller;
import picocli.CommandLine.Option;

/** Which trained network. */
final class WeightsOption {
  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description =
          "Weights out of a run folder of distill or train-teacher. Default: the teacher that comes"
              + " with structkd.")
  private @Nullable Path weights;

  SegmentationNet load() throws IOException {
    return weights == null ? BundledTeacher.load() : load(weights);
  }

  /** The network of a file of weights. */
  static SegmentationNet load(Path weights) throws IOException {
    try (TensorFile file = TensorFile.open(weights)) {
      if (Distiller.isCheckpoint(file)) {
        throw new DataFileException(
            weights.toString(),
            "weights of a network",
            "the checkpoint of a training; when that ends, it writes NAME.safetensors beside it");
      }
      return SegmentationNet.of(file);
    }
  }

  String describe() {
    return weights == null ? "the bundled teacher" : weights.toString();
  }
}
