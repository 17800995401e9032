package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: segmentation_net}}: a {@link SegmentationNet} for the data's images and classes.
 *
 * @param width channels of the first block, 1 to {@link SegmentationNet#MAX_WIDTH}
 * @param deformable whether the convolution of its deepest block learns where it looks
 */
record SegmentationNetSettings(int width, boolean deformable) implements StudentSettings {
  /** Checks the width. */
  public SegmentationNetSettings {
    new SegmentationNet.Config(1, width, 1);
  }

  /** One of ordinary convolutions. */
  public SegmentationNetSettings(int width) {
    this(width, false);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    int channels = (int) sample.input(Batch.IMAGES).size(1);
    int classes = Classes.of(data, "student: a segmentation net");
    return new SegmentationNet(
        new SegmentationNet.Config(channels, width, classes).withDeformable(deformable), seed);
  }
}
