package org.structkd.metric;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.Split;
import org.structkd.internal.Named;
import org.structkd.model.TappedNetwork;

/**
 * Scores networks on all examples of a split.
 *
 * @param dataset the examples
 * @param split validation or test
 * @param metric how answers are judged
 */
public record DatasetEvaluation(Dataset dataset, Split split, Metric metric) implements Evaluation {
  /** Examples at a time: bounds the memory. */
  private static final int BATCH = 50;

  /** Checks that the split can be evaluated on. */
  public DatasetEvaluation {
    dataset.size(split);
  }

  @Override
  public Score of(TappedNetwork network, Device device) {
    return score(network, device, dataset.size(split));
  }

  @Override
  public void requireFit(TappedNetwork network, Device device) {
    score(network, device, 1);
  }

  private Score score(TappedNetwork network, Device device, int count) {
    requireTaps(network);
    Metric.Count counted = metric.count();
    for (int first = 0; first < count; first += BATCH) {
      try (PointerScope temporaries = new PointerScope()) {
        Batch batch = dataset.examples(split, first, Math.min(BATCH, count - first));
        counted.add(network.infer(batch.to(device).inputs()), batch);
      }
    }
    return counted.score();
  }

  private void requireTaps(TappedNetwork network) {
    for (String tap : metric.taps()) {
      if (!network.taps().contains(tap)) {
        throw Named.missing("evaluation: the network", "tap", tap, network.taps());
      }
    }
  }
}
