package org.structkd.model;

import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Layers;

/**
 * A square convolution with what belongs to it: batch normalisation and ReLU behind it or in front
 * of it, or a bias or nothing. The module that it is made in owns its parameters. For one thread at
 * a time.
 *
 * <p>It has two forms. The float form calls the modules. The quantised form is one convolution
 * whose weights and input are rounded to 8 bits ({@code FakeQuantization}). A normalisation behind
 * it is folded into both its weight and its bias:
 *
 * <pre>{@code
 * y = relu(Q(x) * Q(w g / sqrt(v + eps)) + b - m g / sqrt(v + eps))
 * }</pre>
 *
 * <p>where g and b are the normalisation's weight and bias, which learn, and m and v its running
 * mean and variance. A normalisation in front cannot be folded, as the ReLU stands between them: it
 * stays a scale and a shift of each channel in floats, and what is rounded is what the ReLU gives:
 *
 * <pre>{@code
 * y = Q(relu((x - m) g / sqrt(v + eps) + b)) * Q(w)
 * }</pre>
 *
 * <p>Running means and variances stay as they are in the quantised form, so that training and
 * inference compute the same; Krishnamoorthi freezes them for the same reason after a while (R.
 * Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018, arXiv
 * 1806.08342, 3.2.2). A layer without a range has the float form, and so has one whose range has
 * seen nothing, unless it trains and is told to observe.
 */
public final class ConvolutionLayer {
  /** What belongs to a convolution. */
  private enum With {
    BIAS,
    NOTHING,
    NORM_BEHIND,
    NORM_IN_FRONT;

    boolean isNormalized() {
      return this == NORM_BEHIND || this == NORM_IN_FRONT;
    }
  }

  private final Module owner;
  private final String name;
  private final With with;
  private final Conv2dImpl convolution;
  private final @Nullable Normalization norm;
  private final @Nullable String normName;
  private final int stride;
  private final int padding;
  private @Nullable ActivationRange range;
  private double rate;

  private ConvolutionLayer(
      Module owner, String name, int in, int out, int kernel, int stride, With with) {
    this.owner = owner;
    this.name = with.isNormalized() ? name + "_conv" : name;
    this.with = with;
    this.stride = stride;
    padding = kernel / 2;
    convolution = Layers.convolution(owner, this.name, in, out, kernel, stride, with == With.BIAS);
    normName = with.isNormalized() ? name + "_norm" : null;
    norm =
        normName == null
            ? null
            : new Normalization(owner, normName, with == With.NORM_BEHIND ? out : in);
  }

  /**
   * A 3x3 convolution without bias, batch normalisation, ReLU.
   *
   * @param owner gets them as NAME_conv and NAME_norm
   * @param in channels of the input
   * @param out channels of the result
   * @param stride of the convolution
   */
  static ConvolutionLayer normalized(Module owner, String name, int in, int out, int stride) {
    return new ConvolutionLayer(owner, name, in, out, 3, stride, With.NORM_BEHIND);
  }

  /**
   * Batch normalisation, ReLU, a convolution without bias.
   *
   * @param owner gets them as NAME_norm and NAME_conv
   * @param in channels of the input
   * @param out channels of the result
   * @param kernel height and width of the convolution, odd
   */
  static ConvolutionLayer preActivated(Module owner, String name, int in, int out, int kernel) {
    return new ConvolutionLayer(owner, name, in, out, kernel, 1, With.NORM_IN_FRONT);
  }

  /**
   * A 3x3 convolution alone, without bias.
   *
   * @param owner gets it as NAME
   * @param in channels of the input
   * @param out channels of the result
   */
  static ConvolutionLayer plain(Module owner, String name, int in, int out) {
    return new ConvolutionLayer(owner, name, in, out, 3, 1, With.NOTHING);
  }

  /**
   * A 1x1 convolution with bias.
   *
   * @param owner gets it as NAME
   * @param in channels of the input
   * @param out channels of the result
   */
  static ConvolutionLayer pointwise(Module owner, String name, int in, int out) {
    return new ConvolutionLayer(owner, name, in, out, 1, 1, With.BIAS);
  }

  /** {@return the name of its convolution in the module of the network} */
  public String name() {
    return name;
  }

  /** {@return the name of the range of its input in the module of the network} */
  public String rangeName() {
    return name + "_range";
  }

  /**
   * {@return whether a tensor of the network is in what {@link #quantized} tells} A normalisation
   * in front is not: it stays as it is.
   *
   * @param tensor its name in the module of the network
   */
  public boolean owns(String tensor) {
    return tensor.startsWith(name + ".")
        || with == With.NORM_BEHIND && tensor.startsWith(normName + ".")
        || tensor.equals(rangeName());
  }

  /** {@return the type of its numbers} */
  ScalarType type() {
    return convolution.weight().scalar_type().intern();
  }

  /** {@return the result [B, out, H, W] of an input [B, in, H, W], H and W over the stride} */
  Tensor forward(Tensor input) {
    return with == With.NORM_IN_FRONT ? activated(normalized(input)) : convolved(input);
  }

  /**
   * {@return what a normalisation in front makes of an input: what the ReLU reads} By its running
   * mean and variance in the quantised form.
   */
  Tensor normalized(Tensor input) {
    return rounds() ? norm.resting(input) : norm.forward(input);
  }

  /** {@return the result for what {@link #normalized(Tensor)} gave} */
  Tensor activated(Tensor normalized) {
    return convolved(torch.relu(normalized));
  }

  private boolean observes() {
    return rate > 0 && convolution.is_training();
  }

  /** {@return whether it has the quantised form now} */
  boolean rounds() {
    return range != null && (observes() || !range.isEmpty());
  }

  private Tensor convolved(Tensor input) {
    ActivationRange observed = range;
    if (observed == null || !rounds()) {
      Tensor result = convolution.forward(input);
      return with == With.NORM_BEHIND ? torch.relu(norm.forward(result)) : result;
    }
    if (observes()) {
      observed.observe(input, rate);
    }
    Folded folded = folded();
    Tensor result =
        torch.conv2d(
            observed.activations().round(input),
            rounded(folded.weight),
            folded.bias == null ? new TensorOptional() : new TensorOptional(folded.bias),
            new long[] {stride, stride},
            new long[] {padding, padding},
            new long[] {1, 1},
            1);
    return with == With.NORM_BEHIND ? torch.relu(result) : result;
  }

  private static Tensor rounded(Tensor weight) {
    return FakeQuantization.weight(weight, FakeQuantization.weightScale(weight));
  }

  /**
   * {@return the weight [out, in, k, k] that the quantised form computes with: folded and rounded,
   * in the PointerScope that is open}
   */
  public Tensor roundedWeight() {
    return rounded(folded().weight);
  }

  /** A convolution that does what it did with a normalisation behind it. */
  private record Folded(Tensor weight, @Nullable Tensor bias) {}

  private Folded folded() {
    return switch (with) {
      case BIAS -> new Folded(convolution.weight(), convolution.bias());
      case NOTHING, NORM_IN_FRONT -> new Folded(convolution.weight(), null);
      case NORM_BEHIND -> {
        Normalization.Scaled scaled = norm.scaled();
        Tensor factor = scaled.factor().view(-1, 1, 1, 1);
        yield new Folded(convolution.weight().mul(factor), scaled.shift());
      }
    };
  }

  /**
   * Gives the layer a range, which has seen nothing; it stays the one that it has, if it has one.
   */
  public void addRange() {
    if (range == null) {
      range = new ActivationRange(owner, rangeName(), convolution.weight());
    }
  }

  /**
   * Tells the layer whether its range follows what it gets while it trains, which begins its
   * quantised form.
   *
   * @param share that a batch has in the range, at most 1; 0: the range stays as it is
   * @throws IllegalStateException if it has no range
   */
  public void observe(double share) {
    if (range == null) {
      throw new IllegalStateException(name + " has no range to observe");
    }
    rate = share;
  }

  /** {@return whether it has a range, which may have seen nothing} */
  public boolean hasRange() {
    return range != null;
  }

  /** {@return whether its range has seen something, so that it has the quantised form} */
  public boolean isQuantized() {
    return range != null && !range.isEmpty();
  }

  /**
   * What the quantised form of a layer stores. It computes {@code (q_x - z_x) s_x} times {@code q_w
   * s_w}, summed, plus the bias.
   *
   * @param weight q_w, i8 [out, in, k, k]
   * @param weightScale s_w, f32 [out]
   * @param bias [out], a float: with the scale {@code s_x s_w} an int32 tells it as well; zeros
   *     where the layer has none
   * @param inputScale s_x of the input, u8
   * @param inputZeroPoint z_x, 0 to 255
   */
  public record Quantized(
      Tensor weight, Tensor weightScale, Tensor bias, float inputScale, int inputZeroPoint) {}

  /**
   * {@return what the quantised form stores, in the PointerScope that is open}
   *
   * @throws IllegalStateException if the layer has the float form
   */
  public Quantized quantized() {
    if (range == null || range.isEmpty()) {
      throw new IllegalStateException(name + " is not quantised: no training gave it a range");
    }
    Folded folded = folded();
    Tensor scale = FakeQuantization.weightScale(folded.weight);
    FakeQuantization.Activations input = range.activations();
    return new Quantized(
        FakeQuantization.weightCodes(folded.weight, scale),
        scale,
        folded.bias == null ? torch.zeros_like(scale) : folded.bias.detach().clone(),
        input.scale(),
        input.zeroPoint());
  }
}
