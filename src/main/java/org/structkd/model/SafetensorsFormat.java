package org.structkd.model;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.structkd.data.DataFileException;

/**
 * The bytes of a {@link TensorFile}: safetensors, with a checksum of our own among the metadata.
 *
 * <pre>{@code
 * length of the header u64, header in JSON, elements of all tensors (little-endian)
 * }</pre>
 */
final class SafetensorsFormat {
  /** Tells that a checksum must be there; its value is the version of what it counts. */
  private static final String LAYOUT = "structkd";

  private static final String LAYOUT_VERSION = "1";
  private static final String CHECKSUM = "checksum";

  /** Tells other programs that shapes and names are PyTorch's. */
  private static final String FORMAT = "format";

  /** Properties that every file has for itself. */
  static final Set<String> OWN = Set.of(LAYOUT, CHECKSUM, FORMAT);

  /** Bytes of the header's length. */
  private static final int LENGTH_BYTES = 8;

  private static final byte[] OLD_MAGIC = "STRUCTKD".getBytes(StandardCharsets.US_ASCII);

  private SafetensorsFormat() {}

  /** What a file holds; tensors are read when they are asked for. */
  record Content(Map<String, String> properties, Map<String, StoredTensor> tensors) {}

  /**
   * Reads the header, and all elements once to compare their checksum.
   *
   * @param source how messages call the file
   */
  static Content read(StoredTensor.Reader reader, long length, String source) throws IOException {
    byte[] head = new byte[(int) Math.min(LENGTH_BYTES + 1, length)];
    reader.read(0, head, head.length);
    if (Arrays.equals(OLD_MAGIC, Arrays.copyOf(head, OLD_MAGIC.length))) {
      throw new DataFileException(
          source,
          "a safetensors file",
          "a file of an earlier structkd, which this version does not read: train anew");
    }
    if (head.length <= LENGTH_BYTES || head[LENGTH_BYTES] != '{') {
      throw new DataFileException(source, "a safetensors file", "another format");
    }
    long headerLength = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong();
    SafetensorsHeader.requireLength(headerLength, length - LENGTH_BYTES, source);
    byte[] json = new byte[(int) headerLength];
    reader.read(LENGTH_BYTES, json, json.length);
    long data = LENGTH_BYTES + headerLength;
    SafetensorsHeader header = SafetensorsHeader.parse(json, length - data, source);
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    header
        .tensors()
        .forEach(
            (name, entry) ->
                tensors.put(
                    name,
                    new StoredTensor(
                        entry.type(),
                        entry.shape(),
                        StoredTensor.readBy(reader, data + entry.begin(), data + entry.end()))));
    Map<String, String> properties = new LinkedHashMap<>(header.metadata());
    requireUndamaged(properties, tensors, source);
    properties.keySet().removeAll(OWN);
    return new Content(properties, tensors);
  }

  private static void requireUndamaged(
      Map<String, String> properties, Map<String, StoredTensor> tensors, String source)
      throws IOException {
    String version = properties.get(LAYOUT);
    String stored = properties.get(CHECKSUM);
    if (version == null && stored == null) {
      return; // another program wrote it, without a checksum
    }
    if (!LAYOUT_VERSION.equals(version)) {
      throw new DataFileException(
          source, LAYOUT + " \"" + LAYOUT_VERSION + "\" in its metadata", "\"" + version + "\"");
    }
    String actual = checksumOf(properties, tensors);
    if (!actual.equals(stored)) {
      throw new DataFileException(
          source,
          "checksum " + stored,
          actual + ": damaged, or changed by a program that kept the metadata");
    }
  }

  /**
   * The CRC-32C of all texts, shapes and elements in the order of their names, so that another
   * program may write the same content in another order.
   */
  private static String checksumOf(
      Map<String, String> properties, Map<String, StoredTensor> tensors) throws IOException {
    CRC32C crc = new CRC32C();
    for (Map.Entry<String, String> property : new TreeMap<>(properties).entrySet()) {
      if (!property.getKey().equals(CHECKSUM)) {
        update(crc, property.getKey());
        update(crc, property.getValue());
      }
    }
    for (Map.Entry<String, StoredTensor> named : new TreeMap<>(tensors).entrySet()) {
      update(crc, named.getKey());
      update(crc, named.getValue().describe());
      named.getValue().elements().forEach((chunk, length) -> crc.update(chunk, 0, length));
    }
    return "%08x".formatted(crc.getValue());
  }

  private static void update(CRC32C crc, String text) {
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    crc.update(0); // it marks where a text ends
  }

  /** Writes a file, in pieces. Equal contents give equal bytes; the stream stays open. */
  static void write(
      OutputStream out, Map<String, String> properties, Map<String, StoredTensor> tensors)
      throws IOException {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put(FORMAT, "pt");
    metadata.put(LAYOUT, LAYOUT_VERSION);
    metadata.putAll(properties);
    metadata.put(CHECKSUM, checksumOf(metadata, tensors));
    // Wide elements first, so that all lie at multiples of their size; Python's writer does the
    // same.
    Map<String, StoredTensor> inOrder = new LinkedHashMap<>();
    tensors.entrySet().stream()
        .sorted(
            Comparator.<Map.Entry<String, StoredTensor>>comparingInt(
                    tensor -> -tensor.getValue().type().bytes)
                .thenComparing(Map.Entry.comparingByKey()))
        .forEach(tensor -> inOrder.put(tensor.getKey(), tensor.getValue()));
    Map<String, SafetensorsHeader.Entry> entries = new LinkedHashMap<>();
    long end = 0;
    for (Map.Entry<String, StoredTensor> named : inOrder.entrySet()) {
      StoredTensor tensor = named.getValue();
      long begin = end;
      end += tensor.length();
      entries.put(
          named.getKey(), new SafetensorsHeader.Entry(tensor.type(), tensor.shape(), begin, end));
    }
    byte[] header = new SafetensorsHeader(metadata, entries).toBytes();
    ByteBuffer length = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out.write(length.putLong(header.length).array());
    out.write(header);
    for (StoredTensor tensor : inOrder.values()) {
      tensor.elements().forEach((chunk, n) -> out.write(chunk, 0, n));
    }
    out.flush();
  }
}
