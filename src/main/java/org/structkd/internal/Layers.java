package org.structkd.internal;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** Layers that the module which they are registered in owns, whatever Java's collector takes. */
public final class Layers {
  private Layers() {}

  /**
   * Adds a square convolution whose padding keeps the size of the map for a stride of 1.
   *
   * @param kernel height and width, odd
   */
  public static Conv2dImpl convolution(
      Module owner, String name, int in, int out, int kernel, int stride, boolean bias) {
    return convolution(owner, name, in, out, kernel, stride, kernel / 2, bias);
  }

  /** Adds a square convolution with its own padding. */
  public static Conv2dImpl convolution(
      Module owner,
      String name,
      int in,
      int out,
      int kernel,
      int stride,
      int padding,
      boolean bias) {
    Conv2dOptions options = new Conv2dOptions(in, out, new LongPointer(kernel, kernel));
    options.stride().put(new long[] {stride, stride}); // put(long, long) takes an index
    options.padding().put(new LongPointer(padding, padding));
    options.bias().put(bias);
    return owner.register_module(name, new Conv2dImpl(options));
  }

  /**
   * Adds a tensor that learns.
   *
   * @return the tensor: what the presets' method returns lies in the module's list and is gone once
   *     that grows
   */
  public static Tensor parameter(Module owner, String name, Tensor value) {
    owner.register_parameter(name, value);
    return value;
  }

  /**
   * Adds a tensor that is state and does not learn.
   *
   * @return the tensor, as {@link #parameter} does
   */
  public static Tensor buffer(Module owner, String name, Tensor value) {
    owner.register_buffer(name, value);
    return value;
  }

  /**
   * Adds a batch normalisation.
   *
   * @return the layer, valid as long as its owner
   */
  public static BatchNorm2dImpl batchNorm(Module owner, String name, int channels) {
    // The presets bind this layer's constructor to `new`, not to make_shared: a module that is
    // given the result does not own it, and is left with freed memory once Java collects it. A
    // clone is shared.
    try (BatchNorm2dImpl original = new BatchNorm2dImpl(new BatchNormOptions(channels))) {
      return owner.register_module(name, original.clone()).asBatchNorm2d();
    }
  }
}
