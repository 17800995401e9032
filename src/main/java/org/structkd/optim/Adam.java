package org.structkd.optim;

/**
 * Adam, whose weight decay is a part of the gradient.
 *
 * <pre>{@code
 * g = gradient + weightDecay w
 * m = beta1 m + (1 - beta1) g
 * v = beta2 v + (1 - beta2) g g
 * w = w - rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 * }</pre>
 *
 * <p>t counts the steps in which the parameter had a gradient, from 1 on. Same bits as LibTorch's
 * {@code torch::optim::Adam}.
 *
 * <p>Source: D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; its
 * defaults are those of {@link #Adam(double)}.
 *
 * @param rate greatest rate, greater than 0, at most {@link Optimizer#LARGEST_RATE}
 * @param beta1 share of the mean of gradients that a step keeps, 0 to 1
 * @param beta2 share of the mean of their squares that a step keeps, 0 to 1
 * @param eps keeps the division from 0, greater than 0
 * @param weightDecay 0 or greater
 * @param decayNormsAndBiases whether parameters of one dimension or none decay, too
 */
public record Adam(
    double rate,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    boolean decayNormsAndBiases)
    implements Optimizer {
  /** Checks the numbers. */
  public Adam {
    Require.adam(rate, beta1, beta2, eps, weightDecay);
  }

  /** Adam with betas 0.9 and 0.999, eps 1e-8, no weight decay. */
  public Adam(double rate) {
    this(rate, 0.9, 0.999, 1e-8, 0, true);
  }
}
