package org.structkd.metric;

import org.bytedeco.pytorch.Device;
import org.structkd.model.TappedNetwork;

/**
 * Scores networks. Runs them in evaluation mode and leaves the modes of all modules as they were.
 */
public interface Evaluation {
  /**
   * {@return the score of a network}
   *
   * @param network which
   * @param device where it is
   * @throws IllegalArgumentException if its outputs do not fit
   */
  Score of(TappedNetwork network, Device device);

  /**
   * Tries the smallest part of the work, so that what cannot be evaluated is known before a
   * training.
   *
   * @param network which
   * @param device where it is
   * @throws IllegalArgumentException if its outputs do not fit
   */
  void requireFit(TappedNetwork network, Device device);
}
