package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.MadeInputs;
import org.structkd.testing.Tf32;

/**
 * The losses on CUDA tensors; skipped, with the reason, where CUDA cannot be used. The presets have
 * no CUDA graphs: capture is checked by bench/python.
 */
class CudaIT {
  /** Most memory of the device that all of this takes, so that it runs on smaller GPUs, too. */
  private static final long MOST_MEMORY = 16L << 30;

  private @Nullable PointerScope scope;
  private @Nullable Tf32 tf32;

  static List<LossUnderTest> losses() {
    return LossUnderTest.kernels();
  }

  /** Every loss in every preset, compositions as well. */
  static List<LossUnderTest> allLosses() {
    return LossUnderTest.all().stream().filter(loss -> loss.backend().isEmpty()).toList();
  }

  /** Each test by itself, so that each is counted. */
  @BeforeEach
  void requireCuda() {
    String problem = NativeCall.of(NativeOps::cudaProblem);
    assumeTrue(problem.isEmpty(), problem);
    scope = new PointerScope();
    tf32 = Tf32.off();
  }

  @AfterEach
  void closeScope() {
    if (scope != null) {
      torch_cuda.setCurrentCUDAStream(torch_cuda.getDefaultCUDAStream());
      tf32.close();
      scope.close();
    }
  }

  @AfterAll
  static void memoryIsThatOfASmallGpu() {
    if (NativeCall.of(NativeOps::cudaProblem).isEmpty()) {
      byte device = 0;
      long peak = torch_cuda.getAllocator().getDeviceStats(device).reserved_bytes().peak();
      assertTrue(peak < MOST_MEMORY, peak + " bytes were reserved, at most " + MOST_MEMORY);
    }
  }

  private static LossInputs inputs(
      LossUnderTest loss, int device, long batch, long channels, long height, long width) {
    MadeInputs.Sizes sizes = new MadeInputs.Sizes(batch, channels, height, width);
    return MadeInputs.onDevice(loss.inputs(sizes), cuda(device), ScalarType.Float);
  }

  private static Device cuda(int index) {
    return new Device(DeviceType.CUDA, (byte) index);
  }

  /**
   * Keeps the current stream busy for some tenths of a second: 1.4e13 multiply-adds, of which an
   * H100 does at most 3.3e13 a second in f32 (NVIDIA's data sheet). All products take one memory.
   */
  private static void delay() {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor factor = torch.zeros(4096, 4096).to(cuda(0), ScalarType.Float);
      Tensor product = torch.empty_like(factor);
      for (int i = 0; i < 200; i++) {
        torch.mm_out(product, factor, factor);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void valueAndGradientAreThoseOfTheCpu(LossUnderTest loss) {
    assertAsOnTheCpu(loss, inputs(loss, 0, 2, 19, 9, 11), 1e-5);
  }

  /** A composition may make a tensor on the wrong device; f64 leaves no doubt about the rest. */
  @ParameterizedTest
  @MethodSource("allLosses")
  void everyPresetIsThatOfTheCpuInDoublePrecision(LossUnderTest loss) {
    assertAsOnTheCpu(loss, MadeInputs.onDevice(loss.inputs(), cuda(0), ScalarType.Double), 1e-9);
  }

  private static void assertAsOnTheCpu(LossUnderTest loss, LossInputs in, double most) {
    LossUnderTest.Outcome ours = loss.outcome(in);
    assertFalse(ours.value().is_cpu());
    ours.gradients().values().forEach(gradient -> assertFalse(gradient.is_cpu()));
    ScalarType type = in.student().values().iterator().next().scalar_type().intern();
    LossInputs there = MadeInputs.onDevice(in, new Device(DeviceType.CPU), type);
    double error = onCpu(ours).errorAgainst(loss.outcome(there));
    assertTrue(error < most, "error " + error);
  }

  /** Baselines of benches are compositions: none may be a kernel by another name. */
  @ParameterizedTest
  @MethodSource("losses")
  void compositionOfCudaTensorsIsNotTheKernel(LossUnderTest loss) {
    LossInputs in = inputs(loss, 0, 2, 19, 9, 11);
    LossUnderTest.Outcome ours = loss.outcome(in);
    String before = NativeCall.of(() -> NativeOps.useBackend("composed"));
    LossUnderTest.Outcome composed;
    try {
      composed = loss.outcome(in);
    } finally {
      NativeCall.of(() -> NativeOps.useBackend(before));
    }
    assertFalse(composed.value().is_cpu());
    assertFalse(composed.sameBits(ours));
    assertTrue(composed.errorAgainst(ours) < 1e-3);
  }

  private static LossUnderTest.Outcome onCpu(LossUnderTest.Outcome outcome) {
    TreeMap<String, Tensor> gradients = new TreeMap<>();
    outcome.gradients().forEach((role, gradient) -> gradients.put(role, gradient.cpu()));
    return new LossUnderTest.Outcome(outcome.value().cpu(), gradients);
  }

  /** A stream that had work before the call still has some after it: nobody waited. */
  @ParameterizedTest
  @MethodSource("losses")
  void nobodyWaitsForTheDevice(LossUnderTest loss) {
    LossInputs in = inputs(loss, 0, 2, 19, 17, 33);
    loss.outcome(in); // memory, kernels
    CUDAStream stream = torch_cuda.getCurrentCUDAStream();
    stream.synchronize();
    delay();
    loss.outcome(in);
    assertFalse(stream.query(), "the call waited for the device");
  }

  /**
   * Inputs that are written on the current stream after a delay, and freed before it is through.
   */
  @ParameterizedTest
  @MethodSource("losses")
  void runsOnTheCurrentStreamAndItsInputsMayBeFreedEarly(LossUnderTest loss) {
    LossInputs in = inputs(loss, 0, 2, 19, 17, 33);
    LossUnderTest.Outcome expected = loss.outcome(in);
    torch_cuda.device_synchronize();
    for (int i = 0; i < 3; i++) {
      CUDAStream stream = torch_cuda.getStreamFromPool();
      torch_cuda.setCurrentCUDAStream(stream);
      delay();
      LossUnderTest.Outcome found;
      try (PointerScope inputs = new PointerScope()) {
        found = loss.outcome(MadeInputs.changed(in, Tensor::clone, Tensor::clone));
        found.gradients().values().forEach(gradient -> keep(gradient, inputs));
        keep(found.value(), inputs);
      }
      Tensor student = in.student().values().iterator().next();
      torch.full_like(student, new Scalar(Double.NaN)); // takes the memory of the inputs
      stream.synchronize();
      assertTrue(found.sameBits(expected), "stream " + i);
    }
  }

  private void keep(Tensor result, PointerScope inner) {
    scope.attach(result);
    inner.detach(result);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void equalInputsGiveEqualBits(LossUnderTest loss) {
    LossInputs in = inputs(loss, 0, 3, 21, 33, 35);
    LossUnderTest.Outcome first = loss.outcome(in);
    for (int i = 0; i < 5; i++) {
      assertTrue(loss.outcome(in).sameBits(first));
    }
  }

  /** Beside inputs, gradient and its multiple by the upstream gradient: less than a map. */
  @ParameterizedTest
  @MethodSource("losses")
  void peakMemoryIsThatOfTheGradient(LossUnderTest loss) {
    LossInputs in = LossUnderTest.leaves(inputs(loss, 0, 2, 64, 128, 128));
    byte device = 0;
    var allocator = torch_cuda.getAllocator();
    long before = allocator.getDeviceStats(device).allocated_bytes().current();
    allocator.resetPeakStats(device);
    loss.forward(in).backward();
    long peak = allocator.getDeviceStats(device).allocated_bytes().peak() - before;
    long map = in.student().values().iterator().next().nbytes();
    assertTrue(peak < 3 * map, peak + " bytes, a map has " + map);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void runsOnEachDevice(LossUnderTest loss) {
    assumeTrue(torch_cuda.device_count() > 1, "this machine has one GPU");
    LossUnderTest.Outcome expected = loss.outcome(inputs(loss, 0, 2, 19, 9, 11));
    LossUnderTest.Outcome found = loss.outcome(inputs(loss, 1, 2, 19, 9, 11));
    assertEquals(1, found.value().device().index());
    assertTrue(onCpu(found).sameBits(onCpu(expected)));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void mapsOnDifferentDevicesAreRefused(LossUnderTest loss) {
    LossInputs here = inputs(loss, 0, 2, 19, 9, 11);
    LossInputs apart = MadeInputs.changed(here, student -> student, Tensor::cpu);
    String said =
        assertThrows(IllegalArgumentException.class, () -> loss.forward(apart)).getMessage();
    assertTrue(said.contains("student is on cuda:0 and teacher on cpu"), said);
  }
}
