package org.structkd.recipe;

import java.util.List;
import java.util.Optional;
import org.structkd.data.Dataset;
import org.structkd.data.Landsat;
import org.structkd.data.LandsatBand;
import org.structkd.data.PictureInput;
import org.structkd.data.SceneBatches;

/**
 * {@code {kind: landsat}}: crops of a Landsat scene with the class of every pixel, see {@link
 * Landsat}.
 *
 * @param batch crops per training step, 1 to {@link SceneBatches#MAX_LABELLED}
 * @param images bands that students see, in this order
 * @param block height and width of the blocks that splits consist of
 * @param crop height and width of training examples
 * @param labelled training blocks that have labels; 0: all have
 * @param turned whether training examples are turned and flipped
 */
record LandsatSettings(
    int batch, List<LandsatBand> images, int block, int crop, int labelled, boolean turned)
    implements DataSettings {
  private static final Landsat.Config DEFAULTS = Landsat.Config.defaults();

  /** Checks the values. */
  public LandsatSettings {
    images = List.copyOf(images);
    if (batch < 1 || batch > SceneBatches.MAX_LABELLED) {
      throw new IllegalArgumentException(
          "batch is %d, expected 1 to %d".formatted(batch, SceneBatches.MAX_LABELLED));
    }
    new Landsat.Config(images, block, crop, labelled, turned);
  }

  /** Batches of 16, with what {@link Landsat.Config#defaults} says. */
  public LandsatSettings() {
    this(
        16,
        DEFAULTS.images(),
        DEFAULTS.block(),
        DEFAULTS.crop(),
        DEFAULTS.labelled(),
        DEFAULTS.turned());
  }

  /** {@inheritDoc} Of files are red, green and blue alone. */
  @Override
  public Optional<PictureInput> pictures() {
    return images.equals(List.of(LandsatBand.RED, LandsatBand.GREEN, LandsatBand.BLUE))
        ? Optional.of(PictureInput.intensities(3, Landsat.CLASS_NAMES))
        : Optional.empty();
  }

  @Override
  public Dataset load() {
    return Landsat.bundled(new Landsat.Config(images, block, crop, labelled, turned));
  }
}
