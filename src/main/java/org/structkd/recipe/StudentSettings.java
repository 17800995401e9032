package org.structkd.recipe;

import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.loss.Loss;
import org.structkd.model.TrainableNetwork;

/** The choice {@code student}: the network that is trained. */
public sealed interface StudentSettings
    permits SegmentationNetSettings,
        MatrixFactorizationSettings,
        ResnetSettings,
        WideResnetSettings,
        DensenetSettings,
        SuperResolutionNetSettings,
        DepthNetSettings,
        TrajectoryNetSettings,
        BackboneNetSettings,
        TrainedSettings {
  /**
   * {@return a new network on the CPU}
   *
   * @param data what it learns from
   * @param sample of this data
   * @param seed of the weights: equal seeds and shapes give equal weights
   * @throws IllegalArgumentException if it cannot learn from such data
   */
  TrainableNetwork make(Dataset data, Batch sample, long seed);

  /**
   * Refuses a loss whose settings contradict the network's. By default there are none.
   *
   * @param term the loss's name
   * @throws IllegalArgumentException if it does; says what of both
   */
  default void requireFit(String term, Loss loss) {}
}
