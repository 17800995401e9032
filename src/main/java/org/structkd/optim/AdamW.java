package org.structkd.optim;

/**
 * Adam whose weight decay does not pass through the moments.
 *
 * <pre>{@code
 * w = w (1 - rate weightDecay)
 * }</pre>
 *
 * <p>then a step of {@link Adam} without weight decay. Same bits as LibTorch's {@code
 * torch::optim::AdamW}.
 *
 * <p>Source: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
 *
 * @param rate greatest rate, greater than 0, at most {@link Optimizer#LARGEST_RATE}
 * @param beta1 share of the mean of gradients that a step keeps, 0 to 1
 * @param beta2 share of the mean of their squares that a step keeps, 0 to 1
 * @param eps keeps the division from 0, greater than 0
 * @param weightDecay 0 or greater
 * @param decayNormsAndBiases whether parameters of one dimension or none decay, too
 */
public record AdamW(
    double rate,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    boolean decayNormsAndBiases)
    implements Optimizer {
  /** Checks the numbers. */
  public AdamW {
    Require.adam(rate, beta1, beta2, eps, weightDecay);
  }

  /** AdamW with PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8, weight decay 0.01 of all. */
  public AdamW(double rate) {
    this(rate, 0.9, 0.999, 1e-8, 0.01, true);
  }
}
