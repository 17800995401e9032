package org.structkd.internal;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Checks of tensor arguments before native code runs. Every failure is an {@link
 * IllegalArgumentException} whose text says where, what was given and what was expected.
 */
public final class TensorArguments {
  private TensorArguments() {}

  /** Neither null nor closed nor undefined. */
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
  }

  /** A floating map [B, C, H, W] with at least one element. */
  public static void requireMap(String loss, String argument, @Nullable Tensor tensor) {
    requireOpen(loss, argument, tensor);
    if (tensor.dim() != 4) {
      throw new IllegalArgumentException(
          loss
              + ": "
              + describe(argument, tensor)
              + " has rank "
              + tensor.dim()
              + ", expected 4: [batch, channels, height, width]");
    }
    if (tensor.numel() == 0) {
      throw new IllegalArgumentException(
          loss + ": " + describe(argument, tensor) + " is empty, every size must be at least 1");
    }
    if (!tensor.is_floating_point()) {
      throw new IllegalArgumentException(
          loss
              + ": "
              + argument
              + " is "
              + tensor.scalar_type().intern()
              + ", expected Half, BFloat16, Float or Double");
    }
  }

  /** Two maps of the same batch, size and device, and of as many channels if asked for. */
  public static void requireSameMaps(
      String loss, Tensor student, Tensor teacher, boolean sameChannels) {
    requireMap(loss, "student", student);
    requireMap(loss, "teacher", teacher);
    String differ =
        student.size(0) != teacher.size(0)
            ? "batch size"
            : sameChannels && student.size(1) != teacher.size(1)
                ? "number of channels"
                : student.size(2) != teacher.size(2) || student.size(3) != teacher.size(3)
                    ? "height and width"
                    : null;
    if (differ != null) {
      throw new IllegalArgumentException(
          loss
              + ": "
              + describe("student", student)
              + " and "
              + describe("teacher", teacher)
              + " differ in "
              + differ
              + (differ.equals("height and width") ? ": resize one of them" : ""));
    }
    requireSameDevice(loss, "student", student, "teacher", teacher);
  }

  /** Two tensors in one memory. */
  public static void requireSameDevice(
      String loss, String one, Tensor tensor, String other, Tensor otherTensor) {
    if ((tensor.is_cpu() && otherTensor.is_cpu()) || tensor.device().equals(otherTensor.device())) {
      return;
    }
    throw new IllegalArgumentException(
        loss
            + ": "
            + one
            + " is on "
            + device(tensor)
            + " and "
            + other
            + " on "
            + device(otherTensor)
            + ", expected one device");
  }

  /** A plane [B, H, W] that belongs to a map [B, C, H, W] on the same device. */
  public static void requirePlane(
      String loss, String argument, @Nullable Tensor plane, String mapName, Tensor map) {
    requireOpen(loss, argument, plane);
    if (plane.dim() != 3
        || plane.size(0) != map.size(0)
        || plane.size(1) != map.size(2)
        || plane.size(2) != map.size(3)) {
      throw new IllegalArgumentException(
          loss
              + ": "
              + describe(argument, plane)
              + " does not fit "
              + describe(mapName, map)
              + ", expected "
              + Arrays.toString(new long[] {map.size(0), map.size(2), map.size(3)}));
    }
    requireSameDevice(loss, argument, plane, mapName, map);
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
          loss
              + ": "
              + argument
              + " has values from "
              + smallest
              + " to "
              + largest
              + ", expected finite numbers of at least 0");
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
