package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.model.NetworkFile;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.train.Distiller;
import org.structkd.train.TeacherCache;

/**
 * {@code {kind: file}}: a network that a run of this library has trained.
 *
 * @param file its safetensors file
 * @param inputs the batch's name for each input where it differs
 * @param adapted how it differs from the student; null: in nothing
 * @param cache where its outputs are kept; null: nowhere
 */
record FileSettings(
    Path file,
    Map<String, String> inputs,
    @Nullable Adaptation adapted,
    @Nullable TeacherCache cache)
    implements TeacherSettings {
  /** Copies the map. */
  FileSettings {
    inputs = Recipe.copied(inputs);
  }

  @Override
  public void requireFile() throws IOException {
    try (TensorFile weights = TensorFile.open(file)) {
      Distiller.requireWeights(weights);
    }
  }

  @Override
  public TappedNetwork load(Batch sample) throws IOException {
    try (TensorFile weights = TensorFile.open(file)) {
      return NetworkFile.network(weights);
    }
  }
}
