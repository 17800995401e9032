package org.structkd.compress;

import java.util.List;
import org.structkd.internal.Settings;

/** To how few bits a network rounds its numbers while it trains. */
public sealed interface Quantization {
  /** {@return steps after which the network computes with rounded numbers, 0 or more} */
  long begin();

  /**
   * {@return the share that a batch has in the ranges of activations, greater than 0, at most 1}
   */
  double rate();

  /** {@return beginnings of the names of weights whose layers keep the float form} */
  List<String> excluded();

  /**
   * Quantisation-aware training to 8 bits: weights to int8 with a scale for each output channel,
   * what layers get to uint8 by a range that follows it. The gradient passes through the rounding.
   * Formulas, and what becomes of batch normalisation, are told by {@link
   * org.structkd.model.ConvolutionLayer}. Weights that are pruned stay exactly 0. Immutable, may be
   * shared.
   *
   * <p>The rounding is simulated in floats: it tells what an 8-bit network is worth, and no
   * latency. {@link QuantizedFile} has the 8-bit numbers.
   *
   * <p>Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
   * Integer-Arithmetic-Only Inference", CVPR 2018, arXiv 1712.05877; rate 0.01 is that of PyTorch's
   * {@code MovingAverageMinMaxObserver}.
   *
   * @param begin as above; less than the steps of the training. A network that was quantised before
   *     is so from the first step
   * @param rate as above
   * @param excluded as above, such as the first layer's and the last one's
   */
  record Int8(long begin, double rate, List<String> excluded) implements Quantization {
    /** Checks the numbers and copies the list. */
    public Int8 {
      Settings.requireCount("quantization", "begin", begin, 0);
      if (!(rate > 0 && rate <= 1)) { // also refuses NaN
        throw new IllegalArgumentException(
            "quantization: rate is " + rate + ", expected a share greater than 0, at most 1");
      }
      excluded = List.copyOf(excluded);
    }

    /**
     * Rate 0.01, all layers.
     *
     * @param begin as above
     */
    public Int8(long begin) {
      this(begin, 0.01, List.of());
    }

    /** From the first step. */
    public Int8() {
      this(0);
    }
  }
}
