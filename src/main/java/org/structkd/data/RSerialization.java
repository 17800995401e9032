package org.structkd.data;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads values of R out of its serialisation in XDR, versions 2 and 3: vectors of numbers and
 * strings, lists, and attributes, which is what data frames are made of. Code, environments and
 * other types are refused by a sentence, and so is a length that the bytes behind it cannot have.
 *
 * <p>Source: R Internals, section "Serialization Formats"; numbers of types are those of R's
 * Rinternals.h and serialize.c.
 */
final class RSerialization {
  private static final int SYMBOL = 1;
  private static final int PAIR_LIST = 2;
  private static final int TEXT = 9;
  private static final int LOGICAL = 10;
  private static final int INTEGER = 13;
  private static final int REAL = 14;
  private static final int STRINGS = 16;
  private static final int LIST = 19;
  private static final int SHORT_FORM = 238;
  private static final int NULL_VALUE = 254;
  private static final int REFERENCE = 255;

  private static final int HAS_ATTRIBUTES = 1 << 9;
  private static final int HAS_TAG = 1 << 10;

  /** Lists in lists: frames have two, attributes with them four. */
  private static final int MAX_DEPTH = 32;

  private final ByteBuffer bytes;
  private final String source;
  private final List<String> symbols = new ArrayList<>();
  private int depth;

  private RSerialization(byte[] bytes, String source) {
    this.bytes = ByteBuffer.wrap(bytes); // big-endian, as XDR is
    this.source = source;
  }

  /**
   * Reads the value that bytes hold.
   *
   * @param source what sentences call it
   * @throws DataFileException if they hold no such value
   */
  static RValue read(byte[] bytes, String source) throws DataFileException {
    RSerialization reader = new RSerialization(bytes, source);
    try {
      reader.header();
      return reader.value();
    } catch (BufferUnderflowException e) {
      throw reader.refused("a whole value of R", "an end within it");
    }
  }

  private DataFileException refused(String expected, String found) {
    return new DataFileException(source, expected, found + " at byte " + bytes.position());
  }

  private void header() throws DataFileException {
    if (bytes.get() != 'X' || bytes.get() != '\n') {
      throw refused("R's serialisation in XDR", "other bytes");
    }
    int version = bytes.getInt();
    if (version != 2 && version != 3) {
      throw refused("version 2 or 3 of R's serialisation", "version " + version);
    }
    bytes.getInt(); // the R that wrote it
    bytes.getInt(); // the oldest that reads it
    if (version == 3) {
      text(length(1)); // the encoding of strings that do not tell theirs
    }
  }

  /** The length of what follows, whose elements take as many bytes at least. */
  private int length(int size) throws DataFileException {
    int length = bytes.getInt();
    if (length < 0 || (long) length * size > bytes.remaining()) {
      throw refused(
          "at most " + bytes.remaining() / size + " elements, as many bytes are left",
          "a length of " + length);
    }
    return length;
  }

  private String text(int length) {
    byte[] text = new byte[length];
    bytes.get(text);
    return new String(text, StandardCharsets.UTF_8);
  }

  private RValue value() throws DataFileException {
    if (++depth > MAX_DEPTH) {
      throw refused("at most " + MAX_DEPTH + " lists in each other", "more");
    }
    int flags = bytes.getInt();
    RValue value =
        switch (flags & 0xff) {
          case NULL_VALUE -> RValue.NULL;
          case SYMBOL, REFERENCE -> new RValue(new String[] {symbol(flags)}, Map.of());
          case PAIR_LIST -> pairs(flags);
          case TEXT -> new RValue(new String[] {string()}, Map.of());
          case LOGICAL, INTEGER -> withAttributes(integers(), flags);
          case REAL -> withAttributes(reals(), flags);
          case STRINGS -> withAttributes(strings(), flags);
          case LIST -> withAttributes(list(), flags);
          case SHORT_FORM -> shortForm();
          default ->
              throw refused(
                  "numbers, strings or lists of them",
                  "a value of R's type " + (flags & 0xff) + ", which frames do not need,");
        };
    depth--;
    return value;
  }

  private RValue withAttributes(Object data, int flags) throws DataFileException {
    return new RValue(data, (flags & HAS_ATTRIBUTES) == 0 ? Map.of() : attributes(value()));
  }

  private static Map<String, RValue> attributes(RValue list) {
    Map<String, RValue> attributes = new LinkedHashMap<>();
    RValue names = list.attributes().get("names");
    String[] tags = names == null ? null : names.strings();
    if (tags != null && list.data() instanceof List<?> values) {
      for (int i = 0; i < tags.length; i++) {
        if (tags[i] != null) {
          attributes.put(tags[i], (RValue) values.get(i));
        }
      }
    }
    return attributes;
  }

  /** A list whose elements have tags, which become its names. */
  private RValue pairs(int first) throws DataFileException {
    List<RValue> values = new ArrayList<>();
    List<@Nullable String> tags = new ArrayList<>();
    int flags = first;
    while ((flags & 0xff) == PAIR_LIST) {
      if ((flags & HAS_ATTRIBUTES) != 0) {
        value(); // attributes of a list of attributes say nothing about a frame
      }
      tags.add((flags & HAS_TAG) == 0 ? null : symbol(bytes.getInt()));
      values.add(value());
      flags = bytes.getInt();
    }
    if ((flags & 0xff) != NULL_VALUE) {
      throw refused("the end of a list", "R's type " + (flags & 0xff));
    }
    RValue names = new RValue(tags.toArray(new String[0]), Map.of());
    return new RValue(values, Map.of("names", names));
  }

  /** A name, or one that came before. */
  private String symbol(int flags) throws DataFileException {
    if ((flags & 0xff) == REFERENCE) {
      int packed = flags >>> 8;
      int index = packed == 0 ? bytes.getInt() : packed;
      if (index < 1 || index > symbols.size()) {
        throw refused("one of " + symbols.size() + " names", "number " + index);
      }
      return symbols.get(index - 1);
    }
    if ((flags & 0xff) != SYMBOL || (bytes.getInt() & 0xff) != TEXT) {
      throw refused("a name", "R's type " + (flags & 0xff));
    }
    String name = string();
    symbols.add(name == null ? "NA" : name);
    return symbols.get(symbols.size() - 1);
  }

  /** The text of a string whose flags were read; null for NA, whose length is -1. */
  private @Nullable String string() throws DataFileException {
    bytes.mark();
    if (bytes.getInt() == -1) {
      return null;
    }
    bytes.reset();
    return text(length(1));
  }

  private int[] integers() throws DataFileException {
    int[] integers = new int[length(Integer.BYTES)];
    for (int i = 0; i < integers.length; i++) {
      integers[i] = bytes.getInt();
    }
    return integers;
  }

  private double[] reals() throws DataFileException {
    double[] reals = new double[length(Double.BYTES)];
    for (int i = 0; i < reals.length; i++) {
      reals[i] = bytes.getDouble();
    }
    return reals;
  }

  /** Strings have flags and a length each. */
  private String[] strings() throws DataFileException {
    String[] strings = new String[length(2 * Integer.BYTES)];
    for (int i = 0; i < strings.length; i++) {
      int flags = bytes.getInt();
      if ((flags & 0xff) != TEXT) {
        throw refused("a string", "R's type " + (flags & 0xff));
      }
      strings[i] = string();
    }
    return strings;
  }

  private List<RValue> list() throws DataFileException {
    int length = length(Integer.BYTES);
    List<RValue> values = new ArrayList<>();
    for (int i = 0; i < length; i++) {
      values.add(value());
    }
    return values;
  }

  /** What R keeps as a formula, such as names of rows that count: read over, not expanded. */
  private RValue shortForm() throws DataFileException {
    value(); // its class
    value(); // its state
    RValue attributes = value();
    return new RValue(null, attributes(attributes));
  }
}
