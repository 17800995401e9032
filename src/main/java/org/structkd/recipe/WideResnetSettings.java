package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.model.TrainableNetwork;
import org.structkd.model.WideResNet;

/**
 * {@code {kind: wide_resnet}}: a {@link WideResNet} for the data's images and classes.
 *
 * @param depth layers, 6 n + 4
 * @param widening factor of the channels
 */
record WideResnetSettings(int depth, int widening) implements StudentSettings {
  /** Checks the numbers. */
  public WideResnetSettings {
    new WideResNet.Config(1, depth, widening, 1);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    int channels = (int) sample.input(Batch.IMAGES).size(1);
    int classes = Classes.of(data, "student: a wide resnet");
    return new WideResNet(new WideResNet.Config(channels, depth, widening, classes), seed);
  }
}
