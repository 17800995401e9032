package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.structkd.testing.Refusals.refused;

import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.internal.NativeCall;
import org.structkd.testing.InScope;

/** Devices by their names. */
@InScope
class DevicesTest {
  @ParameterizedTest
  @ValueSource(strings = {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:100", "meta"})
  void otherNamesAreRefused(String name) {
    refused("device is \"" + name + "\", expected cpu, cuda or cuda:N", () -> Devices.named(name));
  }

  @Test
  void aGpuBehindTheLastIsNamedWithTheLast() {
    Devices.requireIndex("cuda", -1, 1);
    Devices.requireIndex("cuda:1", 1, 2);
    refused(
        "device cuda:2: the last GPU of this machine is cuda:1",
        () -> Devices.requireIndex("cuda:2", 2, 2));
  }

  @ParameterizedTest
  @ValueSource(strings = {"cuda", "cuda:0", "cuda:99"})
  void withoutCudaTheSentenceSaysWhatIsMissing(String name) {
    assumeFalse(NativeCall.of(torch::cuda_is_available), "LibTorch has CUDA here");
    refused(
        "device "
            + name
            + ": LibTorch finds no CUDA here; it needs an NVIDIA driver and the GPU build of the"
            + " presets (docs/gpu.md)",
        () -> Devices.named(name));
  }

  @Test
  void theCpuIsThere() {
    assertTrue(Devices.named("cpu").is_cpu());
  }
}
