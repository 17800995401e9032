package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.testing.Tensors;

/**
 * The losses on CUDA tensors; skipped, with the reason, where CUDA cannot be used. The presets have
 * no CUDA graphs: capture is checked by bench/python.
 */
class CudaIT {
  private @Nullable PointerScope scope;

  static List<LossCalls.Named> losses() {
    return LossCalls.all().toList();
  }

  /** Each test by itself, so that each is counted. */
  @BeforeEach
  void requireCuda() {
    String problem = NativeCall.of(NativeOps::cudaProblem);
    assumeTrue(problem.isEmpty(), problem);
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    if (scope != null) {
      torch_cuda.setCurrentCUDAStream(torch_cuda.getDefaultCUDAStream());
      scope.close();
    }
  }

  private static Tensor onDevice(long seed, int device, long... shape) {
    return Tensors.gaussian(seed, shape)
        .to(new Device(DeviceType.CUDA, (byte) device), ScalarType.Float);
  }

  private static Tensor leaf(Tensor values) {
    Tensor leaf = values.detach().clone();
    leaf.set_requires_grad(true);
    return leaf;
  }

  private static Tensor gradient(LossCalls.Named loss, Tensor student, Tensor teacher) {
    Tensor leaf = leaf(student);
    loss.forward(leaf, teacher).backward();
    return leaf.grad();
  }

  /** Keeps the current stream busy for at least some tenths of a second. */
  private static void delay() {
    Tensor a = onDevice(3, 0, 4096, 4096);
    for (int i = 0; i < 200; i++) {
      a = torch.mm(a, a).mul(new Scalar(1e-4));
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void valueAndGradientAreThoseOfTheCpu(LossCalls.Named loss) {
    Tensor student = onDevice(1, 0, 2, 19, 9, 11);
    Tensor teacher = onDevice(2, 0, 2, 19, 9, 11);
    Tensor value = loss.forward(student, teacher);
    assertFalse(value.is_cpu());
    assertTrue(
        Tensors.relativeError(value.cpu(), loss.forward(student.cpu(), teacher.cpu())) < 1e-5);
    Tensor ours = gradient(loss, student, teacher);
    assertFalse(ours.is_cpu());
    assertTrue(
        Tensors.relativeError(ours.cpu(), gradient(loss, student.cpu(), teacher.cpu())) < 1e-5);
  }

  /** A stream that had work before the call still has some after it: nobody waited. */
  @ParameterizedTest
  @MethodSource("losses")
  void nobodyWaitsForTheDevice(LossCalls.Named loss) {
    Tensor student = onDevice(1, 0, 2, 19, 17, 33);
    Tensor teacher = onDevice(2, 0, 2, 19, 17, 33);
    gradient(loss, student, teacher); // memory, kernels
    CUDAStream stream = torch_cuda.getCurrentCUDAStream();
    stream.synchronize();
    delay();
    gradient(loss, student, teacher);
    assertFalse(stream.query(), "the call waited for the device");
  }

  /**
   * Inputs that are written on the current stream after a delay, and freed before it is through.
   */
  @ParameterizedTest
  @MethodSource("losses")
  void runsOnTheCurrentStreamAndItsInputsMayBeFreedEarly(LossCalls.Named loss) {
    Tensor student = onDevice(1, 0, 2, 19, 17, 33);
    Tensor teacher = onDevice(2, 0, 2, 19, 17, 33);
    Tensor expected = gradient(loss, student, teacher);
    torch_cuda.device_synchronize();
    for (int i = 0; i < 3; i++) {
      CUDAStream stream = torch_cuda.getStreamFromPool();
      torch_cuda.setCurrentCUDAStream(stream);
      delay();
      Tensor found;
      try (PointerScope inputs = new PointerScope()) {
        found = gradient(loss, student.clone(), teacher.clone());
        scope.attach(found);
        inputs.detach(found);
      }
      torch.full_like(student, new Scalar(Double.NaN)); // takes the memory of the inputs
      stream.synchronize();
      assertTrue(Tensors.sameBits(found, expected), "stream " + i);
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void equalInputsGiveEqualBits(LossCalls.Named loss) {
    Tensor student = onDevice(1, 0, 3, 21, 33, 35);
    Tensor teacher = onDevice(2, 0, 3, 21, 33, 35);
    Tensor first = gradient(loss, student, teacher);
    for (int i = 0; i < 5; i++) {
      assertTrue(Tensors.sameBits(gradient(loss, student, teacher), first));
    }
  }

  /** Beside inputs, gradient and its multiple by the upstream gradient: less than a map. */
  @ParameterizedTest
  @MethodSource("losses")
  void peakMemoryIsThatOfTheGradient(LossCalls.Named loss) {
    Tensor student = leaf(onDevice(1, 0, 2, 64, 128, 128));
    Tensor teacher = onDevice(2, 0, 2, 64, 128, 128);
    byte device = 0;
    var allocator = torch_cuda.getAllocator();
    long before = allocator.getDeviceStats(device).allocated_bytes().current();
    allocator.resetPeakStats(device);
    loss.forward(student, teacher).backward();
    long peak = allocator.getDeviceStats(device).allocated_bytes().peak() - before;
    assertTrue(peak < 3 * student.nbytes(), peak + " bytes, a map has " + student.nbytes());
  }

  @ParameterizedTest
  @MethodSource("losses")
  void runsOnEachDevice(LossCalls.Named loss) {
    assumeTrue(torch_cuda.device_count() > 1, "this machine has one GPU");
    Tensor expected = gradient(loss, onDevice(1, 0, 2, 19, 9, 11), onDevice(2, 0, 2, 19, 9, 11));
    Tensor found = gradient(loss, onDevice(1, 1, 2, 19, 9, 11), onDevice(2, 1, 2, 19, 9, 11));
    assertEquals(1, found.device().index());
    assertTrue(Tensors.sameBits(found.cpu(), expected.cpu()));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void mapsOnDifferentDevicesAreRefused(LossCalls.Named loss) {
    Tensor here = onDevice(1, 0, 2, 19, 9, 11);
    String said =
        assertThrows(IllegalArgumentException.class, () -> loss.forward(here, here.cpu()))
            .getMessage();
    assertTrue(said.contains("student is on cuda:0 and teacher on cpu"), said);
  }
}
