package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.Status;
import org.structkd.StructkdException;

class NativeCallTest {
  @Test
  void statusAndSentenceOfOurErrorsArriveInJava() {
    StructkdException e =
        assertThrows(
            StructkdException.class, () -> NativeCall.of(() -> NativeOps.backendDescription("x")));
    assertEquals(Status.BACKEND, e.status());
    assertEquals(
        "there is no backend \"x\", expected one of: " + NativeCall.of(NativeOps::backendNames),
        e.getMessage());
  }

  @Test
  void errorOfLibTorchComesWithoutItsStack() {
    StructkdException e =
        assertThrows(StructkdException.class, () -> NativeCall.of(NativeCallTest::addMismatched));
    assertEquals(Status.INTERNAL, e.status());
    assertEquals(
        "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0",
        e.getMessage());
  }

  private static Tensor addMismatched() {
    return torch.ones(2).add(torch.ones(3));
  }

  /** What users meet, as LibTorch says it and as it is told. */
  private record Met(Status status, String told, Supplier<?> call) {}

  static List<Met> met() {
    Supplier<Tensor> ones = () -> torch.ones(2, 3);
    return List.of(
        new Met(
            Status.DTYPE,
            "mat1 and mat2 must have the same dtype, but got Half and Float: convert one of them"
                + " with to(...)",
            () -> new LinearImpl(3, 2).forward(ones.get().to(ScalarType.Half))),
        new Met(
            Status.SHAPE,
            "batch normalisation has no statistics of a single position, its input is [1, 3, 1, 1]:"
                + " use a larger batch or map, or eval()",
            () -> new BatchNorm2dImpl(new BatchNormOptions(3)).forward(torch.ones(1, 3, 1, 1))),
        new Met(
            Status.VALUE,
            "nothing that was computed needs a gradient: the parameters are frozen, an output was"
                + " detached, or a NoGradGuard is open",
            () -> {
              ones.get().sum().backward();
              return null;
            }),
        new Met(
            Status.BACKEND,
            "LibTorch has no aten::avg_pool2d for tensors of the kind SparseCPU",
            () -> torch.avg_pool2d(torch.ones(1, 1, 4, 4).to_sparse(), 2, 2)),
        new Met(
            Status.INTERNAL,
            "LibTorch cannot allocate 4503599627370496 bytes of memory",
            () -> torch.empty(1L << 50)),
        new Met(
            Status.NULL,
            "a tensor, module or other native object has been closed, or its PointerScope has"
                + " ended",
            () -> {
              Tensor closed = ones.get();
              closed.close();
              return closed.sum();
            }),
        new Met(
            Status.NULL,
            "a tensor, module or other native object has been closed, or its PointerScope has"
                + " ended",
            () -> {
              Tensor closed = ones.get();
              closed.close();
              return ones.get().add(closed);
            }));
  }

  @ParameterizedTest
  @MethodSource("met")
  void textsThatUsersMeetBecomeOneSentenceWithAShortCause(Met met) {
    StructkdException e = assertThrows(StructkdException.class, () -> NativeCall.of(met.call::get));
    assertEquals(met.told, e.getMessage());
    assertEquals(met.status, e.status());
    assertEquals(1, e.getCause().getMessage().lines().count());
    assertTrue(e.getCause().getMessage().length() < 320, e.getCause().getMessage());
    assertTrue(e.getCause().getStackTrace()[0].isNativeMethod());
  }

  @Test
  void withoutAGpuCudaIsRefusedInASentence() {
    assumeFalse(torch.cuda_is_available());
    StructkdException e =
        assertThrows(
            StructkdException.class,
            () -> NativeCall.of(() -> torch.ones(2).to(new Device("cuda"), ScalarType.Float)));
    assertEquals(
        "LibTorch finds no CUDA here; it needs an NVIDIA driver and the GPU build of the presets"
            + " (docs/gpu.md)",
        e.getMessage());
    assertEquals(Status.CUDA, e.status());
  }

  @Test
  void theTellingLineOfTorchScriptIsItsLast() {
    String text =
        "\nThe following operation failed in the TorchScript interpreter.\n"
            + "Traceback of TorchScript (most recent call last):\n"
            + "  File \"<string>\", line 3, in forward\n    return x + y\n           ~~~~~ <--- HERE\n"
            + "RuntimeError: The size of tensor a (2) must match\n"
            + "Exception raised from infer_size at x.cpp:1\nframe #0: f()\n";
    assertEquals("The size of tensor a (2) must match", LibTorchText.of(text).sentence());
    assertEquals("LibTorch failed without saying why", LibTorchText.of("\n \n").sentence());
    assertEquals(304, LibTorchText.of("x".repeat(1000)).sentence().length());
  }

  @Test
  void everyErrorOfTheCApiHasItsStatusInJava() throws IOException {
    String header = Files.readString(Path.of("src/main/cpp/include/structkd/core.h"));
    Matcher code = Pattern.compile("STRUCTKD_ERR_([A-Z]+) = \\d+").matcher(header);
    Set<Status> translated = EnumSet.noneOf(Status.class);
    while (code.find()) {
      RuntimeException raised =
          new RuntimeException("structkd[STRUCTKD_ERR_" + code.group(1) + "]: a sentence");
      StructkdException e = (StructkdException) NativeCall.translate(raised);
      assertEquals(code.group(1), e.status().name());
      assertEquals("a sentence", e.getMessage());
      translated.add(e.status());
    }
    assertEquals(EnumSet.complementOf(EnumSet.of(Status.LIBRARY)), translated);
  }

  @Test
  void errorsOfJavaPassUnchanged() {
    IllegalArgumentException e = new IllegalArgumentException("structkd[STRUCTKD_ERR_NULL]: x");
    assertSame(e, NativeCall.translate(e));
    RuntimeException ofAListener = new RuntimeException("disk full\nframe #0: no");
    assertSame(ofAListener, NativeCall.translate(ofAListener));
    NullPointerException ofAUser = new NullPointerException("x");
    assertSame(ofAUser, NativeCall.translate(ofAUser));
  }
}
