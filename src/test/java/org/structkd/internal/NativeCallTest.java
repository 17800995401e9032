package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
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
  }
}
