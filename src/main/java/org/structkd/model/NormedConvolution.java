package org.structkd.model;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Layers;

/**
 * A square convolution without bias, and the batch normalisation behind it, both under names of
 * their own: those of networks whose weights come from elsewhere. The module that it is made in
 * owns its parameters.
 */
final class NormedConvolution {
  /**
   * How a convolution walks over a map. Its padding keeps the size for a stride of 1.
   *
   * @param size height and width, odd
   * @param stride from one position to the next
   * @param dilation from one weight to the next
   * @param groups of channels that do not see each other
   */
  record Kernel(int size, int stride, int dilation, int groups) {
    /** One that touches all channels and looks at every position. */
    static Kernel of(int size) {
      return new Kernel(size, 1, 1, 1);
    }

    Kernel withStride(int stride) {
      return new Kernel(size, stride, dilation, groups);
    }

    Kernel withDilation(int dilation) {
      return new Kernel(size, stride, dilation, groups);
    }

    Kernel withGroups(int groups) {
      return new Kernel(size, stride, dilation, groups);
    }

    private Conv2dImpl convolution(int in, int out) {
      Conv2dOptions options = new Conv2dOptions(in, out, new LongPointer(size, size));
      options.stride().put(new long[] {stride, stride}); // put(long, long) takes an index
      options.dilation().put(new long[] {dilation, dilation});
      long padding = (long) dilation * (size / 2);
      options.padding().put(new LongPointer(padding, padding));
      options.groups().put(groups);
      options.bias().put(false);
      return new Conv2dImpl(options);
    }
  }

  private final Conv2dImpl convolution;
  private final BatchNorm2dImpl norm;

  /**
   * Adds both to a module.
   *
   * @param in channels of the input
   * @param out channels of the result
   */
  NormedConvolution(Module owner, String convolution, String norm, int in, int out, Kernel kernel) {
    this.convolution = owner.register_module(convolution, kernel.convolution(in, out));
    this.norm = Layers.batchNorm(owner, norm, out);
  }

  /** Adds both as NAME_conv and NAME_norm. */
  static NormedConvolution of(Module owner, String name, int in, int out, Kernel kernel) {
    return new NormedConvolution(owner, name + "_conv", name + "_norm", in, out, kernel);
  }

  /** Adds both as NAME.0 and NAME.1, as PyTorch's {@code Sequential} names its layers. */
  static NormedConvolution sequential(Module owner, String name, int in, int out, Kernel kernel) {
    return new NormedConvolution(below(owner, name), "0", "1", in, out, kernel);
  }

  /** {@return a new module in another, for names with a dot} */
  static Module below(Module owner, String name) {
    return owner.register_module(name, new ModuleDictImpl());
  }

  /** {@return the normalised result [B, out, H, W], H and W over the stride, rounded up} */
  Tensor forward(Tensor input) {
    return norm.forward(convolution.forward(input));
  }
}
