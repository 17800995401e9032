package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.model.ResNet;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: resnet}}: a {@link ResNet} for the data's images and classes.
 *
 * @param depth layers, 6 n + 2
 * @param width channels of the first stage
 */
record ResnetSettings(int depth, int width) implements StudentSettings {
  /** Checks the numbers. */
  public ResnetSettings {
    new ResNet.Config(1, depth, width, 1);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    int channels = (int) sample.input(Batch.IMAGES).size(1);
    return new ResNet(
        new ResNet.Config(channels, depth, width, Classes.of(data, "student: a resnet")), seed);
  }
}
