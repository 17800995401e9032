package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.structkd.data.Batch;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.SegmentationNet;
import org.structkd.model.SuperResolutionNet;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.train.Distiller;

/**
 * {@code {kind: file}}: a network that a run of this library has trained.
 *
 * @param file its safetensors file
 * @param inputs the batch's name for each input where it differs
 */
record FileSettings(Path file, Map<String, String> inputs) implements TeacherSettings {
  /** Copies the map. */
  FileSettings {
    inputs = Recipe.copied(inputs);
  }

  private interface Reader {
    TappedNetwork of(TensorFile file) throws IOException;
  }

  /** Networks that a file can hold, each with what makes it, by the name in the file. */
  private static final Map<String, Reader> NETWORKS =
      Map.of(
          SegmentationNet.KIND, SegmentationNet::of,
          MatrixFactorization.KIND, MatrixFactorization::of,
          SuperResolutionNet.KIND, SuperResolutionNet::of);

  @Override
  public TappedNetwork load(Batch sample) throws IOException {
    try (TensorFile weights = TensorFile.open(file)) {
      Distiller.requireWeights(weights);
      return network(weights);
    }
  }

  /** The network that a file holds. */
  static TappedNetwork network(TensorFile weights) throws IOException {
    String network = weights.property("network");
    Reader reader = NETWORKS.get(network);
    if (reader == null) {
      throw new DataFileException(
          weights.source(), "one of: " + Words.list(NETWORKS.keySet()), network);
    }
    return reader.of(weights);
  }
}
