package org.structkd.verify;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The element type and the device that the inputs of a run have.
 *
 * @param dtype element type of maps
 * @param device where all inputs are
 */
record Placement(ScalarType dtype, DeviceType device) {
  static Placement onCpu(ScalarType dtype) {
    return new Placement(dtype, DeviceType.CPU);
  }

  /** A map with these values. */
  Tensor map(Tensor values) {
    return values.to(new Device(device), dtype);
  }

  /** Labels and permutations: the same values and element type, there. */
  Tensor table(Tensor values) {
    return values.to(new Device(device), values.scalar_type());
  }
}
