package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.FashionScenes;

/**
 * {@code {kind: fashion_scenes}}: scenes of clothes with the class of every pixel, see {@link
 * FashionScenes}.
 *
 * @param batch scenes per training step, 1 to {@link FashionScenes#MAX_BATCH}
 * @param labelled training scenes that have labels, half a batch or more; 0: all have
 * @param validation scenes that a training is evaluated on, 1 or more
 * @param test scenes that students are compared on, 1 or more
 * @param directory with the four files of Fashion-MNIST; null: the images of this library
 */
public record FashionScenesSettings(
    int batch, int labelled, int validation, int test, @Nullable Path directory)
    implements DataSettings {
  /** Batches of 16 bundled scenes, all labelled; 200 scenes to validate and 1,000 to test. */
  public static FashionScenesSettings defaults() {
    return new FashionScenesSettings(16, 0, 200, 1000, null);
  }

  @Override
  public Dataset load() throws IOException {
    throw new UnsupportedOperationException("not written yet");
  }
}
