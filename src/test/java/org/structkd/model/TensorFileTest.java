package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class TensorFileTest {
  @TempDir private Path folder;

  private static TensorFile read(byte[] bytes) throws IOException {
    return TensorFile.read(new ByteArrayInputStream(bytes), "it");
  }

  private static byte[] sample() {
    return TensorFile.builder()
        .property("colour", "\"blue\" \u2028 \ud83d\ude42")
        .property("size", "7")
        .tensor("map", Tensors.gaussian(1, 2, 3))
        .tensor("count", torch.tensor(3L))
        .tensor("none", torch.zeros(0, 4))
        .build("it")
        .toBytes();
  }

  @ParameterizedTest
  @EnumSource
  void tensorsOfEachTypeComeBackBitForBit(ElementType type) throws IOException {
    Tensor original = Tensors.gaussian(3, 4, 5).mul(new Scalar(50)).abs().to(type.scalar);
    byte[] bytes = TensorFile.builder().tensor("t", original.t()).build("it").toBytes();
    TensorFile file = read(bytes);
    Tensor dense = torch.zeros(5, 4).to(type.scalar);
    file.copyTo("t", dense);
    assertEqual(original.t(), dense);
    Tensor strided = torch.zeros(4, 5).to(type.scalar).t();
    file.copyTo("t", strided);
    assertEqual(original.t(), strided);
    assertEqual(original.t(), file.tensor("t"));
  }

  /** By bytes: some types cannot be compared. */
  private static void assertEqual(Tensor expected, Tensor actual) {
    assertArrayEquals(
        TensorFile.builder().tensor("t", expected).build("expected").toBytes(),
        TensorFile.builder().tensor("t", actual).build("actual").toBytes());
  }

  @Test
  void aTypeThatTheFormatLacksIsNamed() {
    Tensor complex = torch.zeros(2).to(ScalarType.ComplexDouble);
    IllegalArgumentException error =
        assertThrows(
            IllegalArgumentException.class, () -> TensorFile.builder().tensor("t", complex));
    assertTrue(error.getMessage().contains("ComplexDouble"), error.getMessage());
  }

  @Test
  void propertiesAndNamesComeBack() throws IOException {
    TensorFile file = read(sample());
    assertEquals(Map.of("colour", "\"blue\" \u2028 \ud83d\ude42", "size", "7"), file.properties());
    assertEquals(7, file.number("size"));
    assertEquals(Set.of("map", "count", "none"), file.names());
    assertEquals(3, file.tensor("count").item_long());
    assertArrayEquals(sample(), file.toBytes());
  }

  /** Lengths around the pieces in which a tensor goes to a file and back. */
  @Test
  void largeTensorsGoThroughAFileInPieces() throws IOException {
    Path path = folder.resolve("large");
    for (long length : new long[] {(1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1_000_003}) {
      Tensor original = Tensors.gaussian(length, length).mul(new Scalar(99)).to(ScalarType.Char);
      Files.write(path, TensorFile.builder().tensor("t", original).build("it").toBytes());
      try (TensorFile file = TensorFile.open(path)) {
        assertTrue(original.equal(file.tensor("t")), "length " + length);
      }
    }
  }

  /** 3 GB that are a hole in the file system, and three bytes behind them. */
  @Test
  void tensorsBehindTwoGigabytesAreRead() throws IOException {
    Path path = folder.resolve("huge");
    long huge = 3_000_000_000L;
    byte[] header =
        """
        {"huge":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]},\
        "end":{"dtype":"U8","shape":[3],"data_offsets":[%d,%d]}}"""
            .formatted(huge, huge, huge, huge + 3)
            .getBytes(StandardCharsets.UTF_8);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.writeLong(Long.reverseBytes(header.length));
      file.write(header);
      file.seek(8 + header.length + huge);
      file.write(new byte[] {4, 5, 6});
    }
    try (TensorFile file = TensorFile.open(path)) {
      assertEquals(15, file.tensor("end").sum().item_long());
    }
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
      for (int bit : new int[] {1, 0x10, 0x80}) {
        byte[] changed = sample();
        changed[at] ^= (byte) bit;
        assertThrows(DataFileException.class, () -> read(changed), "byte " + at);
      }
    }
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    TensorFile file = read(sample());
    assertTrue(message(() -> file.property("shape")).contains("\"shape\""));
    assertTrue(message(() -> file.number("colour")).contains("blue"));
    assertTrue(message(() -> file.tensor("rows")).contains("\"rows\""));
    assertEquals(
        "it: expected tensor \"map\" to be F64 [3, 2], found F64 [2, 3]: another network",
        message(() -> file.requireFit("map", torch.zeros(3, 2).to(ScalarType.Double))));
    assertEquals(
        "it: expected tensor \"map\" to be F32 [2, 3], found F64 [2, 3]: another network",
        message(() -> file.copyTo("map", torch.zeros(2, 3))));
    assertTrue(
        message(() -> TensorFile.open(Path.of("/none/at/all"))).startsWith("/none/at/all: "));
    assertTrue(message(() -> TensorFile.open(folder)).endsWith("found no file"));
  }

  private static String message(Executable action) {
    return assertThrows(DataFileException.class, action).getMessage();
  }
}
