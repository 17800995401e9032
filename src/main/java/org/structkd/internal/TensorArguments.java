package org.structkd.internal;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.Layout;
import org.jspecify.annotations.Nullable;

/**
 * Checks of tensor arguments before native code runs. Every failure is an {@link
 * IllegalArgumentException} whose text says where, what was given and what was expected.
 */
public final class TensorArguments {
  private TensorArguments() {}

  /** Requires a tensor: not null, closed or undefined, and of memory that strides describe. */
  public static void requireOpen(String loss, String argument, @Nullable Tensor tensor) {
    if (tensor == null) {
      throw new IllegalArgumentException(loss + ": " + argument + " is null");
    }
    if (tensor.isNull()) {
      throw new IllegalArgumentException(
          loss + ": " + argument + " has been closed, or its PointerScope has ended");
    }
    if (!tensor.defined()) {
      throw new IllegalArgumentException(loss + ": " + argument + " is an undefined tensor");
    }
    if (tensor.is_nested()) {
      throw new IllegalArgumentException(
          ("%s: %s is a nested tensor, whose images differ in size: pass one image,"
                  + " or to_padded_tensor() with a mask")
              .formatted(loss, argument));
    }
    Layout layout = tensor.layout().intern();
    if (layout != Layout.Strided) {
      throw new IllegalArgumentException(
          "%s: %s is not a dense (strided) tensor but %s: call to_dense()"
              .formatted(loss, argument, layout));
    }
    if (tensor.is_quantized()) {
      throw new IllegalArgumentException(
          loss + ": " + argument + " is quantized: call dequantize()");
    }
  }

  /** Requires a tensor of a floating type, with at least one element. */
  public static void requireNumbers(String loss, String argument, Tensor tensor) {
    if (tensor.numel() == 0) {
      throw new IllegalArgumentException(
          loss + ": " + describe(argument, tensor) + " is empty, every size must be at least 1");
    }
    if (!tensor.is_floating_point()) {
      throw new IllegalArgumentException(
          "%s: %s is %s, expected Half, BFloat16, Float or Double"
              .formatted(loss, argument, tensor.scalar_type().intern()));
    }
  }

  /**
   * Refuses two arguments of different shapes.
   *
   * @throws IllegalArgumentException naming both
   */
  public static void requireSameShape(
      String loss, String argument, Tensor tensor, String other, Tensor otherTensor) {
    if (!Arrays.equals(tensor.shape(), otherTensor.shape())) {
      throw new IllegalArgumentException(
          "%s: %s and %s differ in shape"
              .formatted(loss, describe(argument, tensor), describe(other, otherTensor)));
    }
  }

  /** Two tensors in one memory. */
  public static void requireSameDevice(
      String loss, String one, Tensor tensor, String other, Tensor otherTensor) {
    if ((tensor.is_cpu() && otherTensor.is_cpu()) || tensor.device().equals(otherTensor.device())) {
      return;
    }
    throw new IllegalArgumentException(
        "%s: %s is on %s and %s on %s, expected one device"
            .formatted(loss, one, device(tensor), other, device(otherTensor)));
  }

  /**
   * Values of a CPU tensor; those of a device tensor are not read, that would wait for the device.
   */
  public static void requireFiniteAtLeastZero(String loss, String argument, Tensor tensor) {
    if (!tensor.is_cpu()) {
      return;
    }
    double smallest = tensor.min().item_double();
    double largest = tensor.max().item_double();
    if (!(smallest >= 0 && largest < Double.POSITIVE_INFINITY)) { // also refuses NaN
      throw new IllegalArgumentException(
          "%s: %s has values from %s to %s, expected finite numbers of at least 0"
              .formatted(loss, argument, smallest, largest));
    }
  }

  /** "student [8, 128, 64, 64]". */
  public static String describe(String argument, Tensor tensor) {
    return argument + " " + Arrays.toString(tensor.shape());
  }

  private static String device(Tensor tensor) {
    return tensor.device().str().getString();
  }
}
