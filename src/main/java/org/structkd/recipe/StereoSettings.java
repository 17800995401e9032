package org.structkd.recipe;

import java.io.IOException;
import org.structkd.data.Dataset;
import org.structkd.data.StereoDataset;
import org.structkd.data.StereoSource;

/**
 * {@code {kind: stereo}}: stereo pairs, see {@link StereoDataset}.
 *
 * @param source of the pairs
 * @param batch examples per training step, 1 or more
 * @param scale by which photographs are reduced: 1, 2 or 4
 * @param height rows of training examples, a multiple of 16; 0: whole pairs
 * @param mirrored whether half of the training examples are seen in a mirror
 * @param validation most pairs that a training is evaluated on, 1 or more
 * @param test most pairs that students are compared on, 1 or more
 */
record StereoSettings(
    StereoSource source,
    int batch,
    int scale,
    int height,
    boolean mirrored,
    int validation,
    int test)
    implements DataSettings {
  /** Checks the numbers. */
  StereoSettings {
    if (batch < 1) {
      throw new IllegalArgumentException("batch is " + batch + ", expected 1 or more");
    }
    new StereoDataset.Config(scale, height, mirrored, validation, test);
  }

  /** Batches of 4 whole made scenes, half of them mirrored. */
  public StereoSettings() {
    this(StereoSource.MADE, 4, 2, 0, true, 20, 100);
  }

  @Override
  public Dataset load() throws IOException {
    return StereoDataset.of(
        source, new StereoDataset.Config(scale, height, mirrored, validation, test));
  }
}
