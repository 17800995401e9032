package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.data.DataFileException;
import org.structkd.testing.Tensors;

class TensorFileTest {
  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  private static TensorFile read(byte[] bytes) throws IOException {
    return TensorFile.read(new ByteArrayInputStream(bytes), "it");
  }

  private static byte[] sample() {
    return TensorFile.builder()
        .property("colour", "blue")
        .property("size", "7")
        .tensor("map", Tensors.gaussian(1, 2, 3))
        .bytes("raw", new byte[] {1, -2, 3})
        .build("it")
        .toBytes();
  }

  @ParameterizedTest
  @EnumSource(names = {"Float", "Double", "Half", "BFloat16", "Long", "Int", "Byte"})
  void tensorsOfAnyTypeComeBackBitForBit(ScalarType type) throws IOException {
    Tensor original = Tensors.gaussian(3, 4, 5).mul(new Scalar(50)).to(type);
    byte[] bytes = TensorFile.builder().tensor("t", original.t()).build("it").toBytes();
    Tensor copy = torch.zeros(5, 4).to(type);
    TensorFile file = read(bytes);
    file.requireFit("t", copy);
    file.copyTo("t", copy);
    assertTrue(copy.equal(original.t()));
  }

  @Test
  void propertiesAndBytesComeBack() throws IOException {
    TensorFile file = read(sample());
    assertEquals("blue", file.property("colour"));
    assertEquals(7, file.number("size"));
    assertArrayEquals(new byte[] {1, -2, 3}, file.bytes("raw"));
    assertArrayEquals(sample(), file.toBytes());
  }

  @Test
  void aFileCutOffAnywhereIsRefused() {
    byte[] whole = sample();
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThrows(DataFileException.class, () -> read(cut), "length " + length);
    }
  }

  @Test
  void anyChangedByteIsFound() {
    for (int at = 0; at < sample().length; at++) {
      byte[] changed = sample();
      changed[at] ^= 0x10;
      assertThrows(DataFileException.class, () -> read(changed), "byte " + at);
    }
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    TensorFile file = read(sample());
    assertTrue(message(() -> file.property("shape")).contains("\"shape\""));
    assertTrue(message(() -> file.number("colour")).contains("blue"));
    assertTrue(message(() -> file.bytes("rows")).contains("rows"));
    assertTrue(
        message(() -> file.requireFit("map", torch.zeros(3, 2))).contains("[3, 2]"),
        message(() -> file.requireFit("map", torch.zeros(3, 2))));
    assertTrue(
        message(() -> TensorFile.read(Path.of("/none/at/all"))).startsWith("/none/at/all: "));
  }

  private static String message(Executable action) {
    return assertThrows(DataFileException.class, action).getMessage();
  }
}
