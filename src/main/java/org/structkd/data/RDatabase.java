package org.structkd.data;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.DataFormatException;
import java.util.zip.GZIPInputStream;
import java.util.zip.Inflater;
import java.util.zip.ZipException;

/**
 * The data base of a package of R from which it loads data when they are needed: {@code NAME.rdx}
 * tells where objects lie in {@code NAME.rdb}. Read without R; only data frames can be had, whose
 * columns are numbers, strings or factors.
 *
 * <pre>{@code
 * NAME.rdx  gzip of a serialised list with "variables": by object its offset and its bytes
 * NAME.rdb  for each object 4 bytes big-endian, its size unpacked, and zlib of its serialisation
 * }</pre>
 *
 * <p>Source: R's makeLazyLoad.R and lazyload.Rd; R Internals, section "Serialization Formats".
 */
final class RDatabase {
  /** Bytes of an index: those of packages have some hundred. */
  private static final int MAX_INDEX = 1 << 24;

  /** Bytes of one object, unpacked. */
  private static final int MAX_OBJECT = 1 << 28;

  /** Deflate packs at most 258 bytes in two bits. */
  private static final int MAX_RATIO = 1032;

  private RDatabase() {}

  /**
   * Reads a data frame.
   *
   * @param base path of the two files without their endings
   * @param object its name
   * @return its columns by name, all of one length
   * @throws DataFileException if the files do not hold such a frame
   * @throws IOException if they cannot be read
   */
  static Map<String, RValue> frame(Path base, String object) throws IOException {
    Path index = Path.of(base + ".rdx");
    Path data = Path.of(base + ".rdb");
    RValue entries = RSerialization.read(unzipped(index), index.toString()).named("variables");
    RValue entry = entries == null ? null : entries.named(object);
    if (entry == null || !(entry.data() instanceof int[] place) || place.length != 2) {
      throw new DataFileException(index.toString(), "an entry of \"" + object + "\"", "none");
    }
    String source = data + " (" + object + ")";
    return columns(RSerialization.read(chunk(data, place, source), source), source);
  }

  private static byte[] unzipped(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(file.toString(), "an index of R", "nothing");
    }
    try (GZIPInputStream stream =
        new GZIPInputStream(new ByteArrayInputStream(Files.readAllBytes(file)))) {
      byte[] bytes = stream.readNBytes(MAX_INDEX + 1);
      if (bytes.length > MAX_INDEX) {
        throw new DataFileException(
            file.toString(), "an index of at most " + MAX_INDEX + " bytes", "a larger one");
      }
      return bytes;
    } catch (ZipException | EOFException e) {
      throw new DataFileException(file.toString(), "gzip", "something else: " + e.getMessage());
    }
  }

  private static byte[] chunk(Path data, int[] place, String source) throws IOException {
    byte[] packed;
    try (RandomAccessFile file = new RandomAccessFile(data.toFile(), "r")) {
      if (place[0] < 0 || place[1] < Integer.BYTES || place[1] > file.length() - place[0]) {
        throw new DataFileException(
            source,
            "an object within its " + file.length() + " bytes",
            "%d bytes from byte %d on".formatted(place[1], place[0]));
      }
      file.seek(place[0]);
      packed = new byte[place[1]];
      file.readFully(packed);
    }
    int size = ByteBuffer.wrap(packed).getInt();
    long most = Math.min(MAX_OBJECT, (long) packed.length * MAX_RATIO);
    if (size < 0 || size > most) {
      throw new DataFileException(
          source,
          "at most " + most + " bytes out of " + packed.length,
          Integer.toUnsignedString(size));
    }
    byte[] bytes = new byte[size];
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(packed, Integer.BYTES, packed.length - Integer.BYTES);
      int count = 0;
      int more = 1;
      while (more > 0 && count < size) {
        more = inflater.inflate(bytes, count, size - count);
        count += more;
      }
      if (count < size) {
        throw new DataFileException(source, size + " bytes in zlib", String.valueOf(count));
      }
      return bytes;
    } catch (DataFormatException e) {
      throw new DataFileException(source, "zlib", "something else: " + e.getMessage());
    } finally {
      inflater.end();
    }
  }

  private static Map<String, RValue> columns(RValue frame, String source) throws DataFileException {
    RValue names = frame.attributes().get("names");
    String[] all = names == null ? null : names.strings();
    if (all == null) {
      throw new DataFileException(source, "a data frame", frame.kind());
    }
    Map<String, RValue> columns = new LinkedHashMap<>();
    int rows = -1;
    for (String name : all) {
      RValue column = name == null ? null : frame.named(name);
      int length = column == null ? -1 : length(column);
      if (column == null || length < 0 || rows >= 0 && length != rows) {
        throw new DataFileException(
            source,
            "columns of one length",
            "column %s of %s".formatted(name, length < 0 ? "no data" : String.valueOf(length)));
      }
      rows = length;
      columns.put(name, column);
    }
    return columns;
  }

  private static int length(RValue column) {
    return column.data() instanceof int[] whole
        ? whole.length
        : column.data() instanceof double[] numbers
            ? numbers.length
            : column.data() instanceof String[] strings ? strings.length : -1;
  }

  /** A column that must be there. */
  static RValue column(Map<String, RValue> frame, String name, String source)
      throws DataFileException {
    RValue column = frame.get(name);
    if (column == null) {
      throw new DataFileException(
          source, "a column \"" + name + "\"", "columns " + String.join(", ", frame.keySet()));
    }
    return column;
  }
}
