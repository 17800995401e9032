package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.model.TappedNetwork;

/** How the answers of a network are judged, one class per kind of answer. Immutable. */
public interface Metric {
  /** {@return the taps of a network that it reads} */
  Set<String> taps();

  /** {@return the name of the number that leads its scores} */
  String leading();

  /**
   * {@return a network as this metric asks it, by the taps that it reads: by default the network
   * itself, which sees an input once and as a whole} It does not own the network.
   *
   * @param network whose answers are judged
   * @throws IllegalArgumentException if it cannot be asked so
   */
  default TappedNetwork asked(TappedNetwork network) {
    return network;
  }

  /** {@return an empty count} */
  Count count();

  /** Counts over any number of batches exactly: no mean of means. For one thread at a time. */
  interface Count {
    /**
     * Counts a batch.
     *
     * @param outputs of the network by tap, on any device
     * @param batch what is true of it
     * @throws IllegalArgumentException if a tap or target is missing or does not fit; nothing was
     *     counted then
     */
    void add(Map<String, Tensor> outputs, Batch batch);

    /**
     * {@return the score of all that was counted}
     *
     * @throws IllegalStateException if nothing was
     */
    Score score();
  }

  /**
   * {@return a picture of the first example of a batch: of an answer, or of what is true}
   *
   * @param answer outputs of a network by tap; empty: the truth is drawn
   * @param batch of one example or more
   */
  BufferedImage picture(Map<String, Tensor> answer, Batch batch);

  /**
   * {@return pictures of the first example as answers that need no network make it, by their names;
   * empty where there are none}
   *
   * @param batch of one example or more
   */
  default Map<String, BufferedImage> baselines(Batch batch) {
    return Map.of();
  }

  /**
   * {@return what the colours of its pictures mean: 0xRRGGBB by name, in an order; empty where they
   * mean nothing}
   */
  default Map<String, Integer> legend() {
    return Map.of();
  }
}
