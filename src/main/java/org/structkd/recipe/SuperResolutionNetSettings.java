package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.model.SuperResolutionNet;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: super_resolution_net}}: a {@link SuperResolutionNet} for the data's channels and
 * scale.
 *
 * @param width channels of the maps, 1 to {@link SuperResolutionNet#MAX_SIZE}
 * @param blocks residual blocks, 1 to {@link SuperResolutionNet#MAX_SIZE}
 */
record SuperResolutionNetSettings(int width, int blocks) implements StudentSettings {
  /** Checks the sizes. */
  SuperResolutionNetSettings {
    new SuperResolutionNet.Config(1, width, blocks, 2);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    if (!(data instanceof SuperResolutionDataset pictures)) {
      throw new IllegalArgumentException(
          "student: a super-resolution net needs data of the kind super_resolution");
    }
    return new SuperResolutionNet(
        new SuperResolutionNet.Config(
            pictures.channels(), width, blocks, pictures.config().scale()),
        seed);
  }
}
