package org.structkd.model;

import java.util.Arrays;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * A convolution that learns where it looks, and how much that counts.
 *
 * <pre>{@code
 * y(p) = sum_k w_k m_k(p) x(p + p_k + dp_k(p)),   m = sigmoid(a 3x3 convolution of x), dp = another
 * }</pre>
 *
 * <p>over the n = k² points p_k of a square kernel. Between pixels x is interpolated bilinearly,
 * outside of the map it is 0. Offsets dp are in pixels. Their convolution begins with zeros: then
 * all dp are 0 and all m are 1/2, and y is half of an ordinary convolution. Gradients reach x, w
 * and both convolutions; that of dp jumps where a point is exactly on a pixel.
 *
 * <p>It is composed of LibTorch's {@code grid_sampler} and holds n copies of x on the way. The
 * module that it is made in owns its parameters. For one thread at a time.
 *
 * <p>Source: X. Zhu, H. Hu, S. Lin, J. Dai, "Deformable ConvNets v2", CVPR 2019, arXiv 1811.11168.
 */
public final class DeformableConvolution {
  private static final String NAME = "deformable convolution";
  private static final int BILINEAR = 0;
  private static final int ZEROS = 0;

  /**
   * The shape of a layer.
   *
   * @param in channels of the input, 1 or more
   * @param out channels of the result, 1 or more
   * @param kernel height and width k, odd
   * @param stride distance of the points p, 1 or more
   * @param dilation distance of the points p_k, 1 or more
   */
  public record Config(int in, int out, int kernel, int stride, int dilation) {
    /** Checks the numbers. */
    public Config {
      Settings.requireCount(NAME, "in", in, 1);
      Settings.requireCount(NAME, "out", out, 1);
      Settings.requireCount(NAME, "kernel", kernel, 1);
      Settings.requireCount(NAME, "stride", stride, 1);
      Settings.requireCount(NAME, "dilation", dilation, 1);
      if (kernel % 2 == 0) {
        throw new IllegalArgumentException(
            NAME + ": kernel is " + kernel + ", expected an odd number");
      }
    }

    private int points() {
      return kernel * kernel;
    }
  }

  private final Config config;
  private final Conv2dImpl convolution;
  private final Conv2dImpl offsets;

  /**
   * A layer in a module, with random weights w.
   *
   * @param owner gets NAME.weight [out, in, k, k], and NAME_offsets.weight and .bias of 3 n
   *     channels: dy and dx of each point in turn, as torchvision's {@code deform_conv2d} has them,
   *     then the numbers whose sigmoids are the masks
   * @param name NAME
   * @param config its shape
   * @param seed of w: equal seeds and shapes give equal weights. LibTorch's generator is left as it
   *     was
   */
  public DeformableConvolution(Module owner, String name, Config config, long seed) {
    this.config = config;
    int in = config.in;
    convolution =
        Scopes.kept(
            Generators.seeded(
                seed,
                () ->
                    Layers.convolution(
                        owner, name, in, config.out, config.kernel, config.stride, false)));
    int channels = 3 * config.points();
    offsets =
        Scopes.kept(
            Generators.seeded(
                seed,
                () ->
                    Layers.convolution(
                        owner, name + "_offsets", in, channels, 3, config.stride, true)));
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard noGrad = new NoGradGuard()) {
      offsets.weight().zero_();
      offsets.bias().zero_();
    }
  }

  /**
   * {@return the result [B, out, ceil(H / stride), ceil(W / stride)], in the caller's PointerScope}
   *
   * @param input [B, in, H, W] of the parameters' type, f32 or f64, and on their device
   * @throws IllegalArgumentException if it has another rank or number of channels, or is empty
   */
  public Tensor forward(Tensor input) {
    TensorArguments.requireOpen(NAME, "input", input);
    if (input.dim() != 4 || input.size(1) != config.in || input.numel() == 0) {
      throw new IllegalArgumentException(
          "%s: input is %s, expected [B, %s, H, W] that is not empty"
              .formatted(NAME, Arrays.toString(input.shape()), config.in));
    }
    return Scopes.resultOf(
        () -> {
          int points = config.points();
          Tensor learned = offsets.forward(input);
          Tensor masks = torch.sigmoid(learned.narrow(1, 2L * points, points));
          return forward(input, learned.narrow(1, 0, 2L * points), masks);
        });
  }

  /**
   * {@return the result for given offsets [B, 2 n, h, w] and masks [B, n, h, w]}
   *
   * @param input [B, in, H, W]
   */
  Tensor forward(Tensor input, Tensor moved, Tensor masks) {
    int points = config.points();
    long channels = (long) config.in * points;
    long height = moved.size(2);
    long width = moved.size(3);
    Tensor pairs = moved.unflatten(1, points, 2);
    Tensor y = pairs.select(2, 0).add(places(input, (int) height, true));
    Tensor x = pairs.select(2, 1).add(places(input, (int) width, false));
    Tensor grid =
        torch
            .stack(new TensorVector(normalized(x, input.size(3)), normalized(y, input.size(2))), -1)
            .flatten(1, 2);
    Tensor samples =
        torch
            .grid_sampler(input, grid, BILINEAR, ZEROS, false)
            .unflatten(2, points, height)
            .mul(masks.unsqueeze(1))
            .flatten(1, 2);
    return torch.conv2d(samples, convolution.weight().reshape(config.out, channels, 1, 1));
  }

  /** Rows p + p_k without offset, [n, count, 1], or columns, [n, 1, count]. */
  private Tensor places(Tensor like, int count, boolean rows) {
    // By operators: what Java writes into a tensor's memory is not in a trace.
    long kernel = config.kernel;
    Tensor steps = counting(config.kernel, config.dilation, -(config.kernel / 2) * config.dilation);
    Tensor ofPoint = steps.unsqueeze(rows ? 1 : 0).expand(kernel, kernel).reshape(-1).unsqueeze(1);
    Tensor places = ofPoint.add(counting(count, config.stride, 0));
    return places.unsqueeze(rows ? 2 : 1).to(like);
  }

  /** first, first + step, first + 2 step and so on, i64 [count]. */
  private static Tensor counting(int count, int step, int first) {
    return torch.arange(new Scalar((long) count)).mul(new Scalar(step)).add(new Scalar(first));
  }

  /**
   * Pixels to the sampler's -1 to 1 between the outer edges of the first and the last pixel:
   * between their centres, its other convention, a map of one pixel would have no length.
   */
  private static Tensor normalized(Tensor pixels, long size) {
    return pixels.mul(new Scalar(2.0 / size)).add(new Scalar(1.0 / size - 1));
  }
}
