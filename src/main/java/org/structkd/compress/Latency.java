package org.structkd.compress;

import java.util.Map;
import java.util.stream.DoubleStream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Settings;
import org.structkd.model.TappedNetwork;

/**
 * How long this machine takes for a prediction, by the dense layers that the network has: pruned
 * weights make nothing faster, removed channels may: convolutions prefer some numbers of channels.
 *
 * @param millis median of the runs
 * @param runs how many were timed
 * @param threads LibTorch's number of threads, that of the calling thread
 */
public record Latency(double millis, int runs, int threads) {
  /** First runs that are not timed: LibTorch fills its caches, the JVM compiles. */
  private static final int WARM_UP = 10;

  /**
   * Times a network on the CPU, in evaluation mode and without a gradient.
   *
   * @param network which
   * @param inputs of one prediction; how many examples is the caller's choice
   * @param runs how many to time, 1 or more
   */
  public static Latency of(TappedNetwork network, Map<String, Tensor> inputs, int runs) {
    Settings.requireCount("latency", "runs", runs, 1);
    for (int run = 0; run < WARM_UP; run++) {
      millis(network, inputs);
    }
    double[] times = DoubleStream.generate(() -> millis(network, inputs)).limit(runs).toArray();
    return new Latency(median(times), runs, torch.get_num_threads());
  }

  private static double millis(TappedNetwork network, Map<String, Tensor> inputs) {
    try (PointerScope temporaries = new PointerScope()) {
      long start = System.nanoTime();
      network.infer(inputs);
      return (System.nanoTime() - start) / 1e6;
    }
  }

  /** The middle one, or the mean of the two in the middle. */
  static double median(double... times) {
    double[] sorted = DoubleStream.of(times).sorted().toArray();
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
}
