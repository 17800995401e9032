package org.structkd.data;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;

/**
 * The one array of an {@code .npz} file of NumPy: a zip archive with one {@code .npy} file.
 *
 * <pre>{@code
 * 93 "NUMPY" 01 00 | length of the header, u16 | {'descr': '<f4', 'fortran_order': False, 'shape': (H, W), }
 * elements, f32, least significant byte first, the last dimension varies fastest
 * }</pre>
 *
 * <p>Only this form is read: f32, two dimensions, in C's order. The archive is streamed and memory
 * grows with the data, not with what the header claims. Immutable; the array is not copied.
 *
 * <p>Source of the format: NumPy's documentation, "numpy.lib.format", version 1.0.
 *
 * @param height rows
 * @param width columns
 * @param elements [height, width]
 */
record NpzFile(int height, int width, float[] elements) {
  /** Most elements: a picture of 8192 x 8192. */
  static final long MOST_ELEMENTS = 1 << 26;

  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

  /** The order of the keys is NumPy's own, which sorts them. */
  private static final Pattern HEADER =
      Pattern.compile(
          "\\{'descr': '<f4', 'fortran_order': False, 'shape': \\((\\d{1,9}), (\\d{1,9})\\), \\} *\n");

  /** Most bytes that are looked at and shown of a header of another form. */
  private static final int SHOWN = 100;

  /** Bytes that are read at once. */
  private static final int PIECE = 1 << 16;

  /**
   * Reads a file.
   *
   * @throws DataFileException if it is missing, no archive of one such array, truncated, or goes on
   *     behind its last element
   * @throws IOException if it cannot be read
   */
  static NpzFile read(Path file) throws IOException {
    String name = file.toString();
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(name, "an .npz file", "nothing");
    }
    try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(file))) {
      ZipEntry entry = zip.getNextEntry();
      if (entry == null || !entry.getName().endsWith(".npy")) {
        throw new DataFileException(
            name, "a zip archive of one .npy file", entry == null ? "none" : entry.getName());
      }
      NpzFile array = array(zip, name);
      if (zip.getNextEntry() != null) {
        throw new DataFileException(name, "one array", "more");
      }
      return array;
    } catch (ZipException | EOFException e) {
      DataFileException broken =
          new DataFileException(name, "a whole zip archive", "a broken one: " + e.getMessage());
      broken.initCause(e);
      throw broken;
    }
  }

  /** {@return how many bytes of an .npy file stand in front of its elements} */
  static int headerOf(byte[] npy) {
    int length = MAGIC.length;
    return length + Short.BYTES + (npy[length] & 255 | (npy[length + 1] & 255) << 8);
  }

  private static NpzFile array(InputStream in, String name) throws IOException {
    byte[] magic = in.readNBytes(MAGIC.length);
    byte[] length = in.readNBytes(2);
    if (!Arrays.equals(magic, MAGIC) || length.length < 2) {
      throw new DataFileException(name, "an array in NumPy's format 1.0", "something else");
    }
    byte[] header = in.readNBytes(length[0] & 255 | (length[1] & 255) << 8);
    String text = new String(header, StandardCharsets.ISO_8859_1);
    Matcher sizes = HEADER.matcher(text);
    if (!sizes.matches()) {
      throw new DataFileException(
          name,
          "the header of f32 elements in two dimensions in C's order",
          text.strip().substring(0, Math.min(SHOWN, text.strip().length())));
    }
    int height = Integer.parseInt(sizes.group(1));
    int width = Integer.parseInt(sizes.group(2));
    long count = (long) height * width;
    if (count < 1 || count > MOST_ELEMENTS) {
      throw new DataFileException(
          name, "1 to " + MOST_ELEMENTS + " elements", height + " x " + width);
    }
    return new NpzFile(height, width, elements(in, name, (int) count));
  }

  private static float[] elements(InputStream in, String name, int count) throws IOException {
    float[] elements = new float[Math.min(count, PIECE)];
    int read = 0;
    while (read < count) {
      byte[] piece = in.readNBytes(Math.min(PIECE, Float.BYTES * (count - read)));
      int whole = piece.length / Float.BYTES;
      if (whole == 0) {
        throw new DataFileException(name, count + " elements", "the end after " + read);
      }
      if (read + whole > elements.length) {
        elements = Arrays.copyOf(elements, Math.min(count, 2 * elements.length));
      }
      ByteBuffer.wrap(piece)
          .order(ByteOrder.LITTLE_ENDIAN)
          .asFloatBuffer()
          .get(elements, read, whole);
      read += whole;
    }
    if (in.read() >= 0) {
      throw new DataFileException(name, count + " elements", "more");
    }
    return elements;
  }
}
