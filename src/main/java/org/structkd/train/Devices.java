package org.structkd.train;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.NativeCall;

/** Finds the device that a training runs on. */
public final class Devices {
  private Devices() {}

  /**
   * Finds a device.
   *
   * @param name "cpu", "cuda" or "cuda:N"
   * @return the device
   * @throws IllegalArgumentException if there is no such device, or LibTorch has no CUDA here
   */
  public static Device named(String name) {
    if (!name.matches("cpu|cuda(:[0-9]{1,2})?")) {
      throw new IllegalArgumentException(
          "device is \"" + name + "\", expected cpu, cuda or cuda:N");
    }
    return NativeCall.of(() -> present(new Device(name)));
  }

  /**
   * {@return the device itself}
   *
   * @throws IllegalArgumentException if LibTorch does not have it here
   */
  static Device present(Device device) {
    return NativeCall.of(
        () -> {
          String name = device.str().getString();
          if (!device.is_cpu() && !device.is_cuda()) {
            throw new IllegalArgumentException("device is " + name + ", expected cpu or cuda");
          }
          if (device.is_cuda()) {
            requireCuda(device, name);
          }
          return device;
        });
  }

  private static void requireCuda(Device device, String name) {
    if (!torch.cuda_is_available()) {
      throw new IllegalArgumentException(
          "device "
              + name
              + ": LibTorch finds no CUDA here; it needs an NVIDIA driver and the GPU build"
              + " of the presets (docs/gpu.md)");
    }
    requireIndex(name, device.index(), torch.cuda_device_count());
  }

  /** The index is -1 where none was named. */
  static void requireIndex(String name, int index, int devices) {
    if (index >= devices) {
      throw new IllegalArgumentException(
          "device %s: the last GPU of this machine is cuda:%d".formatted(name, devices - 1));
    }
  }
}
