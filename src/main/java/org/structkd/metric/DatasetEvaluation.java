package org.structkd.metric;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
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
  /** Examples at a time, fewer of large ones: bounds the memory. */
  private static final int BATCH = 50;

  /** Elements of all inputs together: ten photographs of 512 x 1024 in colours. */
  private static final long ELEMENTS = 1 << 24;

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
    TappedNetwork asked = metric.asked(network);
    Metric.Count counted = metric.count();
    int batch = count == 1 ? 1 : together();
    for (int first = 0; first < count; first += batch) {
      try (PointerScope temporaries = new PointerScope()) {
        Batch examples = dataset.examples(split, first, Math.min(batch, count - first));
        counted.add(asked.infer(examples.to(device).inputs()), examples);
      }
    }
    return counted.score();
  }

  private int together() {
    try (PointerScope temporaries = new PointerScope()) {
      Batch one = dataset.examples(split, 0, 1);
      long elements = one.inputs().values().stream().mapToLong(Tensor::numel).sum();
      return (int) Math.max(1, Math.min(BATCH, ELEMENTS / Math.max(1, elements)));
    }
  }

  private void requireTaps(TappedNetwork network) {
    for (String tap : metric.taps()) {
      if (!network.taps().contains(tap)) {
        throw Named.missing("evaluation: the network", "tap", tap, network.taps());
      }
    }
  }
}
