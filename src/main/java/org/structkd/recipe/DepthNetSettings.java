package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.StereoDataset;
import org.structkd.loss.DepthRange;
import org.structkd.loss.Loss;
import org.structkd.model.DepthNet;
import org.structkd.model.TrainableNetwork;

/**
 * {@code {kind: depth_net}}: a {@link DepthNet} for the data's channels.
 *
 * @param width channels of the first block, 1 to {@link DepthNet#MAX_WIDTH}
 * @param nearest depth that it can tell, in metres; above 0
 * @param farthest depth that it can tell; greater than nearest
 */
record DepthNetSettings(int width, double nearest, double farthest) implements StudentSettings {
  /** Checks the numbers. */
  DepthNetSettings {
    new DepthNet.Config(1, width, nearest, farthest);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    if (!(data instanceof StereoDataset pairs)) {
      throw new IllegalArgumentException("student: a depth net needs data of the kind stereo");
    }
    return new DepthNet(new DepthNet.Config(pairs.channels(), width, nearest, farthest), seed);
  }

  /** {@inheritDoc} A disparity means one depth in the loss and in the tap "depth". */
  @Override
  public void requireFit(String term, Loss loss) {
    if (loss instanceof DepthRange range
        && (range.nearest() != nearest || range.farthest() != farthest)) {
      throw new IllegalArgumentException(
          "losses.%s is of depths from %s to %s, but the student's are from %s to %s, expected equal ones"
              .formatted(term, range.nearest(), range.farthest(), nearest, farthest));
    }
  }
}
