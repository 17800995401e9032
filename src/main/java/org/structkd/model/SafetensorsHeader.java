package org.structkd.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;

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

  /** Numbers below this fit into a long with room to add some. */
  private static final long MAX_NUMBER = 1_000_000_000_000_000_000L;

  /**
   * A tensor.
   *
   * @param begin first byte in the data
   * @param end byte behind its last
   */
  record Entry(ElementType type, long[] shape, long begin, long end) {}

  private static final Set<String> PARTS = Set.of("dtype", "shape", "data_offsets");

  /** A text, such as a tokenizer that lies among the metadata, may be as long as the header. */
  private static final ObjectMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .streamReadConstraints(
                      StreamReadConstraints.builder().maxStringLength((int) MAX_LENGTH).build())
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /** {@return the header as bytes, filled up with blanks} */
  byte[] toBytes() {
    ObjectNode json = JSON.createObjectNode();
    metadata.forEach(json.putObject(METADATA)::put);
    tensors.forEach(
        (name, entry) -> {
          ObjectNode tensor = json.putObject(name).put("dtype", entry.type().name());
          Arrays.stream(entry.shape()).forEach(tensor.putArray("shape")::add);
          tensor.putArray("data_offsets").add(entry.begin()).add(entry.end());
        });
    byte[] text = json.toString().getBytes(StandardCharsets.UTF_8);
    byte[] bytes = Arrays.copyOf(text, (text.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    Arrays.fill(bytes, text.length, bytes.length, (byte) ' ');
    return bytes;
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
    return new Parser(source).parse(bytes, dataLength);
  }

  /** Reads one header. */
  private record Parser(String source) {
    SafetensorsHeader parse(byte[] bytes, long dataLength) throws DataFileException {
      Map<String, String> metadata = new LinkedHashMap<>();
      Map<String, Entry> tensors = new LinkedHashMap<>();
      for (Map.Entry<String, JsonNode> member : object("the header", json(bytes))) {
        if (!member.getKey().equals(METADATA)) {
          tensors.put(member.getKey(), entry(member.getKey(), member.getValue()));
          continue;
        }
        for (Map.Entry<String, JsonNode> one : object(METADATA, member.getValue())) {
          metadata.put(one.getKey(), text(METADATA + " " + one.getKey(), one.getValue()));
        }
      }
      requireFilled(tensors, dataLength);
      return new SafetensorsHeader(metadata, tensors);
    }

    private JsonNode json(byte[] bytes) throws DataFileException {
      try {
        return JSON.readTree(
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
      } catch (CharacterCodingException e) {
        throw refused("a header in UTF-8", "other bytes");
      } catch (JsonProcessingException e) {
        throw refused("a header in JSON", e.getOriginalMessage().lines().findFirst().orElse(""));
      }
    }

    private Set<Map.Entry<String, JsonNode>> object(String what, JsonNode node)
        throws DataFileException {
      if (!node.isObject()) {
        throw refused(what + " to be an object", shown(node));
      }
      return node.properties();
    }

    private Entry entry(String name, JsonNode node) throws DataFileException {
      String what = "tensor \"" + name + "\"";
      Set<String> parts = new TreeSet<>();
      object(what, node).forEach(part -> parts.add(part.getKey()));
      if (!parts.equals(PARTS)) {
        throw refused(what + " to have " + Words.list(PARTS), Words.list(parts));
      }
      String dtype = text(what + " dtype", node.get("dtype"));
      ElementType type = ElementType.named(dtype);
      if (type == null) {
        throw refused(
            what + " to have a dtype of " + Arrays.toString(ElementType.values()),
            "\"" + dtype + "\"");
      }
      return checked(
          name,
          type,
          numbers(what + " shape", node.get("shape")),
          numbers(what + " data_offsets", node.get("data_offsets")));
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

    private String text(String what, JsonNode node) throws DataFileException {
      if (!node.isTextual()) {
        throw refused(what + " to be a text", shown(node));
      }
      return node.textValue();
    }

    private long[] numbers(String what, JsonNode list) throws DataFileException {
      if (!list.isArray()) {
        throw refused(what + " to be a list", shown(list));
      }
      long[] numbers = new long[list.size()];
      for (int i = 0; i < numbers.length; i++) {
        JsonNode number = list.get(i);
        numbers[i] = number.longValue();
        if (!number.isIntegralNumber()
            || !number.canConvertToLong()
            || numbers[i] < 0
            || numbers[i] >= MAX_NUMBER) {
          throw refused(what + " to be whole numbers below 10^18", shown(number));
        }
      }
      return numbers;
    }

    private static String shown(JsonNode node) {
      String text = node.toString();
      return text.length() <= 40 ? text : text.substring(0, 40) + "...";
    }

    private void requireFilled(Map<String, Entry> tensors, long dataLength)
        throws DataFileException {
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
  }
}
