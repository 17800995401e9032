package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.FashionScenes;
import org.structkd.data.PictureInput;
import org.structkd.data.PrivilegedScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneConfig;

/**
 * {@code {kind: privileged_scenes}}: scenes of clothes that a teacher sees without noise and at
 * twice the resolution, see {@link PrivilegedScenes}.
 *
 * @param batch scenes per training step, 1 to {@link FashionScenes#MAX_BATCH}
 * @param labelled training scenes that have labels, half a batch or more; 0: all have
 * @param validation scenes that a training is evaluated on, 1 or more
 * @param test scenes that students are compared on, 1 or more
 * @param noise standard deviation of what a student sees, 0 to 1
 * @param directory with the four files of Fashion-MNIST; null: the images of this library
 */
record PrivilegedScenesSettings(
    int batch, int labelled, int validation, int test, double noise, @Nullable Path directory)
    implements DataSettings {
  /** Checks the numbers. */
  public PrivilegedScenesSettings {
    new FashionScenesSettings(batch, labelled, validation, test, directory);
    PrivilegedScenes.config((float) noise);
  }

  /**
   * Batches of 16 bundled scenes, all labelled, of the usual noise; 200 to validate, 500 to test.
   */
  public PrivilegedScenesSettings() {
    this(16, SceneBatches.ALL, 200, 500, 0.1, null);
  }

  @Override
  public Optional<PictureInput> pictures() {
    return Optional.of(PictureInput.intensities(1, FashionScenes.CLASS_NAMES));
  }

  @Override
  public Dataset load() throws IOException {
    SceneConfig config = PrivilegedScenes.config((float) noise);
    FashionScenes scenes =
        directory == null
            ? FashionScenes.bundled(config)
            : FashionScenes.fromDirectory(directory, config);
    return new PrivilegedScenes(scenes, labelled, validation, test);
  }
}
