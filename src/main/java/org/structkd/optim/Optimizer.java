package org.structkd.optim;

/**
 * How each step changes the weights. These are settings; {@link RunningOptimizer} does the steps.
 */
public sealed interface Optimizer permits Adam, AdamW, Sgd {
  /** {@return the greatest rate, that of a {@link Schedule} of 1} */
  double rate();

  /** {@return how strongly weights are drawn to 0; 0 for not at all} */
  double weightDecay();

  /**
   * {@return whether parameters of one dimension or none decay, too: biases, and the scales of
   * normalisations} Usual recipes spare them.
   */
  boolean decayNormsAndBiases();

  /**
   * Largest rate of f32 parameters: Adam's first step divides it by 1 - beta1, usually 0.1, and
   * what it multiplies by must be an f32.
   */
  double LARGEST_RATE = Float.MAX_VALUE * 0.1;
}
