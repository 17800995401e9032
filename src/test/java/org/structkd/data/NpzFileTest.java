package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is read of NumPy's archives, and what is refused. */
class NpzFileTest {
  @TempDir private Path temp;

  /** An .npy file with the header's padding as NumPy has it. */
  static byte[] npy(String header, float... elements) {
    String padded = header + " ".repeat((64 - (10 + header.length() + 1) % 64) % 64) + "\n";
    ByteBuffer bytes =
        ByteBuffer.allocate(10 + padded.length() + Float.BYTES * elements.length)
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0});
    bytes.putShort((short) padded.length()).put(padded.getBytes(StandardCharsets.US_ASCII));
    for (float element : elements) {
      bytes.putFloat(element);
    }
    return bytes.array();
  }

  static byte[] zip(String name, byte[]... contents) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (int i = 0; i < contents.length; i++) {
        zip.putNextEntry(new ZipEntry((i == 0 ? "" : i) + name));
        zip.write(contents[i]);
      }
    }
    return bytes.toByteArray();
  }

  static String header(String shape) {
    return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  }

  @Test
  void aHeaderTellsWhereElementsBegin() {
    float[] elements = {1, 2, 3, 4, 5, 6};
    byte[] npy = npy(header("(2, 3)"), elements);
    assertEquals(npy.length - Float.BYTES * elements.length, NpzFile.headerOf(npy));
    byte[] longer = npy(header("(2, 3)") + " ".repeat(300), elements);
    assertEquals(longer.length - Float.BYTES * elements.length, NpzFile.headerOf(longer));
  }

  private Path file(byte[] bytes) throws IOException {
    return Files.write(temp.resolve("it.npz"), bytes);
  }

  private String refused(byte[] bytes) throws IOException {
    Path file = file(bytes);
    DataFileException e = assertThrows(DataFileException.class, () -> NpzFile.read(file));
    assertTrue(e.getMessage().startsWith(file + ": expected "), e.getMessage());
    return e.getMessage().substring((file + ": expected ").length());
  }

  @Test
  void elementsAreRowByRow() throws IOException {
    float[] elements = {1, -2.5f, Float.POSITIVE_INFINITY, Float.NaN, 0, 7};
    NpzFile read = NpzFile.read(file(zip("arr_0.npy", npy(header("(2, 3)"), elements))));
    assertEquals(2, read.height());
    assertEquals(3, read.width());
    assertArrayEquals(elements, read.elements());
  }

  /** More than is read at once. */
  @Test
  void largeArraysAreWhole() throws IOException {
    float[] elements = new float[300 * 401];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = i;
    }
    NpzFile read = NpzFile.read(file(zip("arr_0.npy", npy(header("(300, 401)"), elements))));
    assertArrayEquals(elements, read.elements());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }
          {'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }
          {'descr': '<f4', 'fortran_order': False, 'shape': (1,), }
          {'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }
          {'descr': '<f4', 'fortran_order': False, 'shape': (-1, 1), }
          {'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 1), }
          {'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }
          """,
      quoteCharacter = '"')
  void otherFormsAreRefusedAndShown(String header) throws IOException {
    assertTrue(
        refused(zip("arr_0.npy", npy(header, 1, 2)))
            .startsWith(
                "the header of f32 elements in two dimensions in C's order, found {'descr'"));
  }

  @Test
  void sizesThatTheDataDoNotHaveAreRefusedWithoutTheirMemory() throws IOException {
    String most = "1 to " + NpzFile.MOST_ELEMENTS + " elements, found ";
    assertEquals(
        most + "999999999 x 999999999",
        refused(zip("a.npy", npy(header("(999999999, 999999999)")))));
    assertEquals(most + "0 x 3", refused(zip("a.npy", npy(header("(0, 3)")))));
    long before = allocated();
    assertEquals(
        "67108864 elements, found the end after 2",
        refused(zip("a.npy", npy(header("(8192, 8192)"), 1, 2))));
    assertTrue(allocated() - before < 16 << 20, "a claim of 256 MB costs no such memory");
  }

  private static long allocated() {
    return ((com.sun.management.ThreadMXBean)
            java.lang.management.ManagementFactory.getThreadMXBean())
        .getCurrentThreadAllocatedBytes();
  }

  @Test
  void whatIsNoArchiveOfOneArrayIsRefused() throws IOException {
    byte[] good = zip("a.npy", npy(header("(1, 2)"), 1, 2));
    assertEquals("a zip archive of one .npy file, found none", refused(new byte[] {1, 2, 3}));
    assertEquals("a zip archive of one .npy file, found none", refused(new byte[0]));
    assertEquals(
        "a zip archive of one .npy file, found a.txt", refused(zip("a.txt", new byte[] {1})));
    assertEquals(
        "an array in NumPy's format 1.0, found something else",
        refused(zip("a.npy", new byte[] {1, 2, 3})));
    assertEquals("2 elements, found more", refused(zip("a.npy", npy(header("(1, 2)"), 1, 2, 3))));
    assertEquals(
        "2 elements, found the end after 1", refused(zip("a.npy", npy(header("(1, 2)"), 1))));
    byte[] one = npy(header("(1, 1)"), 1);
    assertEquals("one array, found more", refused(zip("a.npy", one, one)));
    for (int length = 1; length < good.length; length++) { // the directory behind it is not needed
      Path cut = file(Arrays.copyOf(good, length));
      try {
        assertArrayEquals(new float[] {1, 2}, NpzFile.read(cut).elements());
      } catch (DataFileException e) {
        assertTrue(e.getMessage().contains(": expected "), e.getMessage());
      }
    }
    assertThrows(DataFileException.class, () -> NpzFile.read(temp.resolve("none.npz")));
  }

  /** Zeros that pack a thousandfold: behind the elements nothing is unpacked. */
  @Test
  void whatGoesOnWithoutEndIsNotUnpacked() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("a.npy"));
      zip.write(npy(header("(1, 2)"), 1, 2));
      OutputStream to = zip;
      for (int i = 0; i < 64; i++) {
        to.write(new byte[1 << 20]);
      }
    }
    assertEquals("2 elements, found more", refused(bytes.toByteArray()));
  }
}
