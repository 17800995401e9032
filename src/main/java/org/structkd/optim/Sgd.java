package org.structkd.optim;

/**
 * Stochastic gradient descent, plain or with momentum.
 *
 * <pre>{@code
 * g = gradient + weightDecay w
 * b = momentum b + g
 * w = w - rate b   with momentum; w - rate (g + momentum b) with Nesterov's, w - rate g with none
 * }</pre>
 *
 * <p>Same values as LibTorch's {@code torch::optim::SGD} without dampening.
 *
 * <p>Source: I. Sutskever et al., "On the importance of initialization and momentum in deep
 * learning", ICML 2013, in the form that PyTorch gives it.
 *
 * @param rate greatest rate, greater than 0, at most {@link Optimizer#LARGEST_RATE}
 * @param momentum 0 (none) to 1
 * @param nesterov whether the gradient is taken where the momentum leads; needs a momentum
 * @param weightDecay 0 or greater
 * @param decayNormsAndBiases whether parameters of one dimension or none decay, too
 */
public record Sgd(
    double rate, double momentum, boolean nesterov, double weightDecay, boolean decayNormsAndBiases)
    implements Optimizer {
  /** Checks the numbers. */
  public Sgd {
    Require.common(rate, weightDecay);
    Require.share("momentum", momentum);
    if (nesterov && momentum == 0) {
      throw new IllegalArgumentException(
          "nesterov is true but momentum is 0, expected a momentum greater than 0");
    }
  }

  /** Plain descent with momentum, without weight decay. */
  public Sgd(double rate, double momentum) {
    this(rate, momentum, false, 0, true);
  }
}
