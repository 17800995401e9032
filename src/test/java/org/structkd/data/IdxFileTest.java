package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdxFileTest {
  private static final byte[] ELEMENTS = {0, 1, 2, 127, (byte) 128, (byte) 255};
  private static final byte[] IMAGES = IdxBytes.file(ELEMENTS, 1, 2, 3);

  @TempDir Path directory;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void readsPlainAndPackedBytes(boolean packed) throws IOException {
    IdxFile images = parse(packed ? IdxBytes.gzip(IMAGES) : IMAGES, 3);
    assertEquals("x", images.name());
    assertEquals(3, images.rank());
    assertEquals(1, images.size(0));
    assertEquals(2, images.size(1));
    assertEquals(3, images.size(2));
    assertEquals(6, images.length());
    for (int i = 0; i < ELEMENTS.length; i++) {
      assertEquals(ELEMENTS[i] & 255, images.element(i));
    }
    assertEquals("x: 1x2x3", images.toString());
  }

  @Test
  void readsAFileWhoseNameDoesNotTellThatItIsPacked() throws IOException {
    Path file = directory.resolve("images");
    Files.write(file, IdxBytes.gzip(IMAGES));
    assertEquals(file + ": 1x2x3", IdxFile.read(file, 3).toString());
  }

  @Test
  void refusesAMissingFile() {
    Path file = directory.resolve("absent.gz");
    DataFileException e = assertThrows(DataFileException.class, () -> IdxFile.read(file, 3));
    assertEquals(file + ": expected an IDX file, found no such file", e.getMessage());
    assertEquals(file.toString(), e.file());
    assertEquals("an IDX file", e.expected());
    assertEquals("no such file", e.found());
  }

  @Test
  void refusesADirectory() {
    refused(
        DataFileException.class,
        directory + ": expected an IDX file, found no regular file",
        () -> IdxFile.read(directory, 3));
  }

  @Test
  void refusesAnotherRank() {
    assertRefused(
        IMAGES, 1, "x: expected IDX magic 00000801 (unsigned bytes, rank 1), found 00000803");
  }

  @Test
  void refusesAForeignFile() {
    byte[] png = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n'};
    assertRefused(
        png, 3, "x: expected IDX magic 00000803 (unsigned bytes, rank 3), found 89504e47");
  }

  @Test
  void refusesAnotherElementType() {
    byte[] floats = IMAGES.clone();
    floats[2] = 0x0d;
    assertRefused(
        floats, 3, "x: expected IDX magic 00000803 (unsigned bytes, rank 3), found 00000d03");
  }

  @Test
  void refusesAnEmptyFile() {
    assertRefused(
        new byte[0], 3, "x: expected 4 bytes of the IDX magic, found the end of the file after 0");
  }

  @Test
  void refusesATruncatedHeader() {
    assertRefused(
        Arrays.copyOf(IMAGES, 10),
        3,
        "x: expected 4 bytes of size 1 of the IDX header, found the end of the file after 2");
  }

  @Test
  void refusesTruncatedElements() {
    byte[] cut = Arrays.copyOf(IMAGES, IMAGES.length - 1);
    String message = "x: expected 6 bytes for sizes 1x2x3, found only 5";
    assertRefused(cut, 3, message);
    assertRefused(IdxBytes.gzip(cut), 3, message);
  }

  @Test
  void refusesBytesBehindTheElements() {
    String one = "x: expected 6 bytes for sizes 1x2x3, found 1 byte more behind them";
    assertRefused(Arrays.copyOf(IMAGES, IMAGES.length + 1), 3, one);
    assertRefused(IdxBytes.gzip(Arrays.copyOf(IMAGES, IMAGES.length + 1)), 3, one);
    String many = "x: expected 6 bytes for sizes 1x2x3, found 70000 bytes more behind them";
    assertRefused(Arrays.copyOf(IMAGES, IMAGES.length + 70_000), 3, many);
    assertRefused(IdxBytes.gzip(Arrays.copyOf(IMAGES, IMAGES.length + 70_000)), 3, many);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 18, 19, 1000})
  void refusesBytesBehindTheGzipData(int count) {
    byte[] packed = IdxBytes.gzip(IMAGES);
    assertRefused(
        Arrays.copyOf(packed, packed.length + count),
        3,
        "x: expected the end of the file behind the gzip data, found "
            + (count == 1 ? "1 byte" : count + " bytes")
            + " more");
  }

  @Test
  void refusesTruncatedGzipDataAtEveryLength() {
    byte[] packed = IdxBytes.gzip(IMAGES);
    for (int length = 2; length < packed.length; length++) {
      byte[] cut = Arrays.copyOf(packed, length);
      DataFileException e = assertThrows(DataFileException.class, () -> parse(cut, 3));
      assertEquals(
          "x: expected whole gzip data, found broken gzip data (its end is missing)",
          e.getMessage(),
          "cut to " + length);
    }
  }

  @Test
  void refusesDamagedGzipData() {
    byte[] packed = IdxBytes.gzip(IMAGES);
    packed[packed.length - GZIP_CRC_FROM_END] ^= 1;
    DataFileException e = assertThrows(DataFileException.class, () -> parse(packed, 3));
    assertTrue(
        e.getMessage().startsWith("x: expected whole gzip data, found broken gzip data ("),
        e.getMessage());
  }

  private static final int GZIP_CRC_FROM_END = 8;

  @Test
  void refusesSizesThatAreZeroNegativeOrTooLarge() {
    assertRefused(
        IdxBytes.file(new byte[0], 0, 28, 28), 3, "x: expected 1 or more in dimension 0, found 0");
    assertRefused(
        IdxBytes.file(new byte[0], 1, -1, 28),
        3,
        "x: expected 1 or more in dimension 1, found 4294967295");
    assertRefused(
        IdxBytes.file(new byte[0], 1 << 30, 1 << 30, 1 << 30),
        3,
        "x: expected at most 2147483631 elements, found 1152921504606846976 or more in the header");
  }

  @Test
  void aHugeSizeInTheHeaderAllocatesNothing() {
    assertRefused(
        IdxBytes.file(ELEMENTS, 1 << 30),
        1,
        "x: expected 1073741824 bytes for sizes 1073741824, found only 6");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 5})
  void refusesAnImpossibleRank(int rank) {
    refused("rank must be 1 to 4 but is " + rank, () -> parse(IMAGES, rank));
  }

  private static IdxFile parse(byte[] bytes, int rank) throws IOException {
    return IdxFile.read(new ByteArrayInputStream(bytes), "x", rank);
  }

  private static void assertRefused(byte[] bytes, int rank, String message) {
    refused(DataFileException.class, message, () -> parse(bytes, rank));
  }
}
