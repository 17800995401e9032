package org.structkd.run;

import java.util.OptionalLong;
import org.structkd.metric.Score;
import org.structkd.model.StateDict;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;

/**
 * A network and what it is worth.
 *
 * @param network on the device of the run
 * @param score on the examples that it was judged by
 * @param millisPerStep time of a training step, NaN if none was timed here
 */
record Trained(TappedNetwork network, Score score, double millisPerStep) {
  /** Number of weights; empty where the network does not show them. */
  OptionalLong parameters() {
    return network instanceof TrainableNetwork trainable
        ? OptionalLong.of(StateDict.parameterCount(trainable.module()))
        : OptionalLong.empty();
  }
}
