package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.CrowdDataset;
import org.structkd.data.Dataset;
import org.structkd.model.TrainableNetwork;
import org.structkd.model.TrajectoryNet;

/**
 * {@code {kind: trajectory_net}}: a {@link TrajectoryNet} for the data's steps and neighbours.
 *
 * @param width size of its states, 1 to {@link TrajectoryNet#MAX_SIZE}
 */
record TrajectoryNetSettings(int width) implements StudentSettings {
  /** Checks the width. */
  TrajectoryNetSettings {
    new TrajectoryNet.Config(2, 1, 1, width);
  }

  @Override
  public TrainableNetwork make(Dataset data, Batch sample, long seed) {
    if (!(data instanceof CrowdDataset crowds)) {
      throw new IllegalArgumentException("student: a trajectory net needs data of the kind crowds");
    }
    CrowdDataset.Config window = crowds.config();
    return new TrajectoryNet(
        new TrajectoryNet.Config(window.observed(), window.predicted(), window.neighbours(), width),
        seed);
  }
}
