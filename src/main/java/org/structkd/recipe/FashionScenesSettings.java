package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.FashionScenes;
import org.structkd.data.FashionScenesDataset;
import org.structkd.data.PictureInput;
import org.structkd.data.SceneBatches;

/**
 * {@code {kind: fashion_scenes}}: scenes of clothes with the class of every pixel, see {@link
 * FashionScenes}.
 *
 * @param batch scenes per training step, 1 to {@link FashionScenes#MAX_BATCH}
 * @param labelled training scenes that have labels, half a batch to {@link
 *     SceneBatches#MAX_LABELLED}; 0: all have
 * @param validation scenes that a training is evaluated on, 1 or more
 * @param test scenes that students are compared on, 1 or more
 * @param directory with the four files of Fashion-MNIST; null: the images of this library
 */
record FashionScenesSettings(
    int batch, int labelled, int validation, int test, @Nullable Path directory)
    implements DataSettings {
  /** Checks the numbers. */
  public FashionScenesSettings {
    require("batch", batch, 1, FashionScenes.MAX_BATCH);
    if (labelled != SceneBatches.ALL) {
      require("labelled", labelled, (batch + 1) / 2, SceneBatches.MAX_LABELLED);
    }
    require("validation", validation, 1, Integer.MAX_VALUE);
    require("test", test, 1, Integer.MAX_VALUE);
  }

  /** Batches of 16 bundled scenes, all labelled; 200 scenes to validate and 1,000 to test. */
  public FashionScenesSettings() {
    this(16, SceneBatches.ALL, 200, 1000, null);
  }

  private static void require(String key, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          "%s is %d, expected %d to %d".formatted(key, value, least, most));
    }
  }

  @Override
  public Optional<PictureInput> pictures() {
    return Optional.of(PictureInput.intensities(1, FashionScenes.CLASS_NAMES));
  }

  @Override
  public Dataset load() throws IOException {
    FashionScenes scenes =
        directory == null ? FashionScenes.bundled() : FashionScenes.fromDirectory(directory);
    return new FashionScenesDataset(scenes, labelled, validation, test);
  }
}
