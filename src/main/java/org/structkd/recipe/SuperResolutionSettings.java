package org.structkd.recipe;

import java.io.IOException;
import org.structkd.data.Dataset;
import org.structkd.data.PictureSource;
import org.structkd.data.SuperResolutionDataset;

/**
 * {@code {kind: super_resolution}}: pictures in low resolution and as they are, see {@link
 * SuperResolutionDataset}.
 *
 * @param source of the pictures
 * @param batch examples per training step, 1 or more
 * @param scale how many times larger answers are: 2 or 4
 * @param patch height and width of training examples in high resolution, a multiple of the scale
 * @param turned whether training examples are turned and flipped
 * @param validation most tiles that a training is evaluated on, 1 or more
 * @param test most tiles that students are compared on, 1 or more
 */
record SuperResolutionSettings(
    PictureSource source, int batch, int scale, int patch, boolean turned, int validation, int test)
    implements DataSettings {
  /** Checks the numbers. */
  SuperResolutionSettings {
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
    new SuperResolutionDataset.Config(scale, patch, turned, validation, test);
  }

  /**
   * Batches of 16 whole garments at twice their size, turned; all that there are to evaluate on.
   */
  public SuperResolutionSettings() {
    this(PictureSource.GARMENTS, 16, 2, 28, true, 500, 1000);
  }

  @Override
  public Dataset load() throws IOException {
    return SuperResolutionDataset.of(
        source, new SuperResolutionDataset.Config(scale, patch, turned, validation, test));
  }
}
