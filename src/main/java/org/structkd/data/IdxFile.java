package org.structkd.data;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * An array of unsigned bytes in the IDX format, the format of MNIST and its relatives.
 *
 * <pre>{@code
 * 00 00 08 R     magic: element type 08 = unsigned byte, R = rank
 * size_0 ...     R sizes, 32 bits each, most significant byte first
 * bytes          size_0 * ... * size_(R-1) elements, the last dimension varies fastest
 * }</pre>
 *
 * <p>Images have rank 3 (count, rows, columns), labels rank 1 (count). A file that begins with the
 * gzip magic is unpacked, whatever its name. Reading is strict: nothing may be missing and nothing
 * may follow. The whole array is kept in memory.
 *
 * <p>Threads: immutable, may be shared.
 *
 * <p>Source of the format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten
 * digits", section "File formats".
 */
public final class IdxFile {
  /** Java arrays of some virtual machines end a few elements before {@link Integer#MAX_VALUE}. */
  private static final int MAX_ELEMENTS = Integer.MAX_VALUE - 16;

  private static final int GZIP_TRAILER = 8; // CRC and length

  private final String name;
  private final int[] sizes;
  private final byte[] elements;

  private IdxFile(String name, int[] sizes, byte[] elements) {
    this.name = name;
    this.sizes = sizes;
    this.elements = elements;
  }

  /**
   * Reads a file, plain or packed by gzip.
   *
   * @param file the file
   * @param rank number of dimensions that it must have, 1 to 4
   * @return its content
   * @throws DataFileException if the file is missing, is not an IDX file of unsigned bytes and this
   *     rank, is truncated, or goes on behind its last element
   * @throws IOException if it cannot be read
   * @throws IllegalArgumentException if {@code rank} is out of range
   */
  public static IdxFile read(Path file, int rank) throws IOException {
    if (!Files.exists(file)) {
      throw new DataFileException(file.toString(), "an IDX file", "no such file");
    }
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(file.toString(), "an IDX file", "no regular file");
    }
    try (InputStream in = Files.newInputStream(file)) {
      return read(in, file.toString(), rank);
    }
  }

  /**
   * Reads a stream, plain or packed by gzip, to its end. Does not close it.
   *
   * @param in the stream
   * @param name what error messages call it
   * @param rank number of dimensions that it must have, 1 to 4
   * @return its content
   * @throws DataFileException if this is not an IDX file of unsigned bytes and this rank, is
   *     truncated, or goes on behind its last element
   * @throws IOException if the stream cannot be read
   * @throws IllegalArgumentException if {@code rank} is out of range
   */
  public static IdxFile read(InputStream in, String name, int rank) throws IOException {
    Objects.requireNonNull(name, "name");
    if (rank < 1 || rank > 4) {
      throw new IllegalArgumentException("rank must be 1 to 4 but is " + rank);
    }
    byte[] raw = in.readAllBytes();
    if (raw.length < 2 || raw[0] != 0x1f || raw[1] != (byte) 0x8b) {
      return parse(new ByteArrayInputStream(raw), name, rank);
    }
    try (WholeGzip unpacked = new WholeGzip(raw)) {
      IdxFile file = parse(unpacked, name, rank);
      int behind = unpacked.bytesBehind();
      if (behind > 0) {
        throw new DataFileException(
            name, "the end of the file behind the gzip data", bytes(behind) + " more");
      }
      return file;
    } catch (EOFException e) {
      throw broken(name, "its end is missing", e);
    } catch (ZipException e) {
      throw broken(name, e.getMessage(), e);
    }
  }

  private static DataFileException broken(String name, String reason, IOException cause) {
    DataFileException broken =
        new DataFileException(name, "whole gzip data", "broken gzip data (" + reason + ")");
    broken.initCause(cause);
    return broken;
  }

  private static IdxFile parse(InputStream in, String name, int rank) throws IOException {
    byte[] magic = readHeader(in, name, "the IDX magic", 4);
    byte[] expectedMagic = {0, 0, 8, (byte) rank};
    if (!Arrays.equals(magic, expectedMagic)) {
      throw new DataFileException(
          name,
          "IDX magic " + hex(expectedMagic) + " (unsigned bytes, rank " + rank + ")",
          hex(magic));
    }
    int[] sizes = new int[rank];
    long total = 1;
    for (int d = 0; d < rank; d++) {
      byte[] size = readHeader(in, name, "size " + d + " of the IDX header", 4);
      sizes[d] =
          (size[0] & 255) << 24 | (size[1] & 255) << 16 | (size[2] & 255) << 8 | size[3] & 255;
      if (sizes[d] < 1) {
        throw new DataFileException(
            name, "1 or more in dimension " + d, Integer.toUnsignedString(sizes[d]));
      }
      total *= sizes[d];
      if (total > MAX_ELEMENTS) { // checked per factor: the product of two fits a long
        throw new DataFileException(
            name, "at most " + MAX_ELEMENTS + " elements", total + " or more in the header");
      }
    }
    String layout = bytes(total) + " for sizes " + join(sizes);
    byte[] elements = in.readNBytes((int) total); // grows with the data, not with the header
    if (elements.length < total) {
      throw new DataFileException(name, layout, "only " + elements.length);
    }
    if (in.read() >= 0) {
      long more = 1 + in.skip(Long.MAX_VALUE);
      while (in.read() >= 0) {
        more += 1 + in.skip(Long.MAX_VALUE);
      }
      throw new DataFileException(name, layout, bytes(more) + " more behind them");
    }
    return new IdxFile(name, sizes, elements);
  }

  private static byte[] readHeader(InputStream in, String name, String what, int length)
      throws IOException {
    byte[] header = in.readNBytes(length);
    if (header.length < length) {
      throw new DataFileException(
          name, length + " bytes of " + what, "the end of the file after " + header.length);
    }
    return header;
  }

  /** {@return the path or name that the file was read by} */
  public String name() {
    return name;
  }

  /** {@return the number of dimensions} */
  public int rank() {
    return sizes.length;
  }

  /**
   * {@return the number of elements along one dimension, 1 or more}
   *
   * @param dimension 0 to rank - 1; 0 counts the images or labels
   */
  public int size(int dimension) {
    return sizes[Objects.checkIndex(dimension, sizes.length)];
  }

  /** {@return the number of elements, the product of all sizes} */
  public int length() {
    return elements.length;
  }

  /**
   * {@return one element, 0 to 255}
   *
   * @param index 0 to length - 1, in the order of the file
   */
  public int element(int index) {
    return elements[index] & 255;
  }

  /** {@return for example {@code train-images: 60000x28x28}} */
  @Override
  public String toString() {
    return name + ": " + join(sizes);
  }

  private static String join(int[] sizes) {
    return Arrays.stream(sizes).mapToObj(Integer::toString).collect(Collectors.joining("x"));
  }

  private static String bytes(long count) {
    return count == 1 ? "1 byte" : count + " bytes";
  }

  private static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) {
      text.append(String.format("%02x", b & 255));
    }
    return text.toString();
  }

  /**
   * A gzip stream that can say what lies behind it: {@link GZIPInputStream} alone ignores that. Its
   * buffer takes the whole input at once, so what the inflater has not used is all there is.
   */
  private static final class WholeGzip extends GZIPInputStream {
    WholeGzip(byte[] packed) throws IOException {
      super(new ByteArrayInputStream(packed), packed.length);
    }

    /** {@return how many bytes lie behind the stream, once it was read to its end} */
    int bytesBehind() {
      return inf.getRemaining() - GZIP_TRAILER;
    }
  }
}
