package org.structkd.model;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import com.google.gson.stream.MalformedJsonException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.structkd.data.DataFileException;

/**
 * The JSON between length and data of a safetensors file.
 *
 * <pre>{@code
 * {"__metadata__": {"name": "text", ...},
 *  "weight": {"dtype": "F32", "shape": [8, 3], "data_offsets": [0, 96]}, ...}
 * }</pre>
 *
 * <p>Offsets count from the end of the header, and the tensors fill the data without holes or
 * overlaps. Whatever is not so is refused.
 *
 * @param metadata texts by name
 * @param tensors by name, in the order of the header
 */
record SafetensorsHeader(Map<String, String> metadata, Map<String, Entry> tensors) {
  private static final String METADATA = "__metadata__";

  /** A tensor is a few dozen characters; Python's reader refuses longer ones, too. */
  static final long MAX_LENGTH = 100_000_000;

  /** The data begins at a multiple of this, so that mapped elements are aligned. */
  private static final int ALIGNMENT = 8;

  /**
   * A tensor.
   *
   * @param begin first byte in the data
   * @param end byte behind its last
   */
  record Entry(ElementType type, long[] shape, long begin, long end) {}

  /** {@return the header as bytes, filled up with blanks} */
  byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (Writer text = new OutputStreamWriter(bytes, StandardCharsets.UTF_8);
        JsonWriter json = new JsonWriter(text)) {
      json.beginObject();
      json.name(METADATA).beginObject();
      for (Map.Entry<String, String> entry : metadata.entrySet()) {
        json.name(entry.getKey()).value(entry.getValue());
      }
      json.endObject();
      for (Map.Entry<String, Entry> named : tensors.entrySet()) {
        Entry entry = named.getValue();
        json.name(named.getKey()).beginObject();
        json.name("dtype").value(entry.type().name());
        json.name("shape").beginArray();
        for (long size : entry.shape()) {
          json.value(size);
        }
        json.endArray();
        json.name("data_offsets").beginArray().value(entry.begin()).value(entry.end()).endArray();
        json.endObject();
      }
      json.endObject();
      json.flush();
      while (bytes.size() % ALIGNMENT != 0) {
        bytes.write(' ');
      }
    } catch (IOException e) {
      throw new AssertionError("memory does not fail", e);
    }
    return bytes.toByteArray();
  }

  /**
   * Checks the length that a file gives for its header, before there is memory for it.
   *
   * @param length what the file says
   * @param available bytes that the file has
   * @param source how messages call the file
   */
  static void requireLength(long length, long available, String source) throws DataFileException {
    long most = Math.min(available, MAX_LENGTH);
    if (length < 0 || length > most) {
      throw new DataFileException(
          source,
          "a header of at most " + most + " bytes",
          Long.toUnsignedString(length) + " bytes: truncated, or another format");
    }
  }

  /**
   * Reads and checks a header.
   *
   * @param bytes all of it
   * @param dataLength bytes that the file has behind it
   * @param source how messages call the file
   */
  static SafetensorsHeader parse(byte[] bytes, long dataLength, String source)
      throws DataFileException {
    return new Parser(bytes, source).parse(dataLength);
  }

  /** Reads one header. */
  private static final class Parser {
    private final String source;
    private final JsonReader json;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> tensors = new LinkedHashMap<>();

    Parser(byte[] bytes, String source) {
      this.source = source;
      json =
          new JsonReader(
              new InputStreamReader(
                  new ByteArrayInputStream(bytes),
                  StandardCharsets.UTF_8
                      .newDecoder()
                      .onMalformedInput(CodingErrorAction.REPORT)
                      .onUnmappableCharacter(CodingErrorAction.REPORT)));
      json.setStrictness(Strictness.STRICT);
    }

    SafetensorsHeader parse(long dataLength) throws DataFileException {
      try {
        parseObject();
      } catch (CharacterCodingException e) {
        throw refused("a header in UTF-8", "other bytes");
      } catch (MalformedJsonException | EOFException | IllegalStateException e) {
        throw refused("a header in JSON", firstLineOf(e));
      } catch (DataFileException e) {
        throw e;
      } catch (IOException e) {
        throw new AssertionError("memory does not fail", e);
      }
      requireFilled(dataLength);
      return new SafetensorsHeader(metadata, tensors);
    }

    private void parseObject() throws IOException {
      boolean hasMetadata = false;
      json.beginObject();
      while (json.hasNext()) {
        String name = json.nextName();
        if (!name.equals(METADATA)) {
          requireNew(tensors.put(name, entry(name)) == null, name);
        } else {
          requireNew(!hasMetadata, name);
          hasMetadata = true;
          json.beginObject();
          while (json.hasNext()) {
            String key = json.nextName();
            requireNew(metadata.put(key, text(METADATA + " " + key)) == null, key);
          }
          json.endObject();
        }
      }
      json.endObject();
      if (json.peek() != JsonToken.END_DOCUMENT) {
        throw refused("a header of one JSON object", "more behind it");
      }
    }

    private Entry entry(String name) throws IOException {
      String what = "tensor \"" + name + "\"";
      String dtype = null;
      long[] shape = null;
      long[] offsets = null;
      json.beginObject();
      while (json.hasNext()) {
        String key = json.nextName();
        switch (key) {
          case "dtype" -> {
            requireNew(dtype == null, name + " " + key);
            dtype = text(what + " " + key);
          }
          case "shape" -> {
            requireNew(shape == null, name + " " + key);
            shape = numbers(what + " " + key);
          }
          case "data_offsets" -> {
            requireNew(offsets == null, name + " " + key);
            offsets = numbers(what + " " + key);
          }
          default -> throw refused(what + " to have dtype, shape and data_offsets", "also " + key);
        }
      }
      json.endObject();
      if (dtype == null || shape == null || offsets == null) {
        throw refused(
            what + " to have dtype, shape and data_offsets",
            dtype == null ? "no dtype" : shape == null ? "no shape" : "no data_offsets");
      }
      ElementType type = ElementType.named(dtype);
      if (type == null) {
        throw refused(
            what + " to have a dtype of " + Arrays.toString(ElementType.values()),
            "\"" + dtype + "\"");
      }
      return checked(name, type, shape, offsets);
    }

    private Entry checked(String name, ElementType type, long[] shape, long[] offsets)
        throws DataFileException {
      String what = "tensor \"" + name + "\", " + type + " " + Arrays.toString(shape) + ",";
      long length = type.bytes;
      try {
        for (long size : shape) {
          length = Math.multiplyExact(length, size);
        }
      } catch (ArithmeticException e) {
        throw refused(what + " to fit into 2^63 bytes", "more");
      }
      if (offsets.length != 2 || offsets[1] < offsets[0] || offsets[1] - offsets[0] != length) {
        throw refused(
            what + " to take " + length + " bytes", "data_offsets " + Arrays.toString(offsets));
      }
      return new Entry(type, shape, offsets[0], offsets[1]);
    }

    private String text(String what) throws IOException {
      if (json.peek() != JsonToken.STRING) {
        throw refused(what + " to be a text", json.peek().toString());
      }
      return json.nextString();
    }

    /** Whole numbers of at most 18 digits, which a long always holds. */
    private long[] numbers(String what) throws IOException {
      List<Long> numbers = new ArrayList<>();
      json.beginArray();
      while (json.hasNext()) {
        String number = json.peek() == JsonToken.NUMBER ? json.nextString() : json.peek() + "";
        if (!number.matches("0|[1-9][0-9]{0,17}")) {
          throw refused(what + " to be whole numbers of 0 to 10^18", number);
        }
        numbers.add(Long.parseLong(number));
      }
      json.endArray();
      return numbers.stream().mapToLong(Long::longValue).toArray();
    }

    private void requireNew(boolean isNew, String name) throws DataFileException {
      if (!isNew) {
        throw refused("each name once", "\"" + name + "\" twice");
      }
    }

    private void requireFilled(long dataLength) throws DataFileException {
      long end = 0;
      List<Map.Entry<String, Entry>> inOrder = new ArrayList<>(tensors.entrySet());
      inOrder.sort(
          Comparator.<Map.Entry<String, Entry>>comparingLong(tensor -> tensor.getValue().begin())
              .thenComparingLong(tensor -> tensor.getValue().end()));
      for (Map.Entry<String, Entry> tensor : inOrder) {
        Entry entry = tensor.getValue();
        if (entry.begin() != end) {
          throw refused(
              "tensor \"" + tensor.getKey() + "\" to begin where the one before ends, at " + end,
              entry.begin() + (entry.begin() < end ? ": they overlap" : ": a hole"));
        }
        end = entry.end();
      }
      if (end != dataLength) {
        throw refused(
            end + " bytes of data",
            dataLength + (dataLength < end ? " bytes: truncated" : " bytes"));
      }
    }

    private DataFileException refused(String expected, String found) {
      return new DataFileException(source, expected, found);
    }

    private static String firstLineOf(Exception e) {
      return String.valueOf(e.getMessage()).lines().findFirst().orElse("something else");
    }
  }
}
