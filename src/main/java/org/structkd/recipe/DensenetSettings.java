package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.model.DenseNet;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: densenet}}: a {@link DenseNet} for the data's images and classes.
 *
 * @param depth layers, 2 n blocks + blocks + 1
 * @param growth channels that a layer adds
 * @param blocks how many
 * @param compression share of the channels that a transition keeps
 */
record DensenetSettings(int depth, int growth, int blocks, double compression)
    implements StudentSettings {
  /** Checks the numbers. */
  public DensenetSettings {
    new DenseNet.Config(1, blocks, depth, growth, compression, 1);
  }

  /** Four blocks, of whose channels transitions keep half. */
  public DensenetSettings(int depth, int growth) {
    this(depth, growth, 4, 0.5);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    int channels = (int) sample.input(Batch.IMAGES).size(1);
    int classes = Classes.of(data, "student: a densenet");
    return new DenseNet(
        new DenseNet.Config(channels, blocks, depth, growth, compression, classes), seed);
  }
}
