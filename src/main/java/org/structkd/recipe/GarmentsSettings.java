package org.structkd.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.Garments;
import org.structkd.data.Region;

/**
 * {@code {kind: garments}}: photographs of single garments with their classes, see {@link
 * Garments}.
 *
 * @param batch images per training step, 1 to {@link Garments#MAX_BATCH}
 * @param labelled training images that have labels, half a batch or more; 0: all have
 * @param validation images that a training is evaluated on, 1 or more
 * @param test images that students are compared on, 1 or more
 * @param shift most pixels by which a training image is shifted
 * @param flip whether training images are mirrored by chance
 * @param regions further inputs of a batch by name, each a region of its images
 * @param directory with the four files of Fashion-MNIST; null: the images of this library
 */
record GarmentsSettings(
    int batch,
    int labelled,
    int validation,
    int test,
    int shift,
    boolean flip,
    Map<String, Region> regions,
    @Nullable Path directory)
    implements DataSettings {
  private static final Garments.Config DEFAULTS = Garments.Config.defaults();

  /** Checks the values. */
  public GarmentsSettings {
    regions = Recipe.copied(regions);
    if (batch < 1 || batch > Garments.MAX_BATCH) {
      throw new IllegalArgumentException(
          "batch is %d, expected 1 to %d".formatted(batch, Garments.MAX_BATCH));
    }
    new Garments.Config(labelled, validation, test, shift, flip, regions);
  }

  /** Batches of 64 bundled images, with what {@link Garments.Config#defaults} says. */
  public GarmentsSettings() {
    this(
        64,
        DEFAULTS.labelled(),
        DEFAULTS.validation(),
        DEFAULTS.test(),
        DEFAULTS.shift(),
        DEFAULTS.flip(),
        DEFAULTS.regions(),
        null);
  }

  @Override
  public Dataset load() throws IOException {
    Garments.Config config = new Garments.Config(labelled, validation, test, shift, flip, regions);
    return directory == null ? Garments.bundled(config) : Garments.fromDirectory(directory, config);
  }
}
