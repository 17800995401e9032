package org.structkd.model;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.DataFileException;

/**
 * Named tensors and properties in one file: weights of a network, or a checkpoint.
 *
 * <pre>{@code
 * "STRUCTKD"  version i32  length of the rest i32  CRC-32C of the rest i64, then the rest:
 * properties: count i32, each name and value (modified UTF-8)
 * tensors:    count i32, each name, type, rank i32, sizes i64, bytes i32, elements (little-endian)
 * }</pre>
 *
 * <p>Numbers of the frame are big-endian. The checksum finds any damage before anything is used.
 * Immutable; a file of at most 2 GB.
 */
public final class TensorFile {
  private static final byte[] MAGIC = "STRUCTKD".getBytes(StandardCharsets.US_ASCII);

  /** Of the format; another one is refused. */
  private static final int VERSION = 1;

  private static final int FRAME = MAGIC.length + 4 + 4 + 8;

  private final String source;
  private final Map<String, String> properties;
  private final Map<String, StoredTensor> tensors;

  private TensorFile(
      String source, Map<String, String> properties, Map<String, StoredTensor> tensors) {
    this.source = source;
    this.properties = properties;
    this.tensors = tensors;
  }

  /** {@return a file without content} */
  public static Builder builder() {
    return new Builder();
  }

  /** Collects what a file shall hold. */
  public static final class Builder {
    private final Map<String, String> properties = new LinkedHashMap<>();
    private final Map<String, StoredTensor> tensors = new LinkedHashMap<>();

    private Builder() {}

    /**
     * Sets a property.
     *
     * @param name its name
     * @param value its value
     * @return this
     */
    public Builder property(String name, String value) {
      properties.put(name, value);
      return this;
    }

    /**
     * Adds a copy of a tensor.
     *
     * @param name its name
     * @param tensor on any device
     * @return this
     */
    public Builder tensor(String name, Tensor tensor) {
      tensors.put(name, StoredTensor.of(tensor));
      return this;
    }

    /**
     * Adds bytes that are no tensor.
     *
     * @param name their name
     * @param bytes not copied
     * @return this
     */
    public Builder bytes(String name, byte[] bytes) {
      tensors.put(name, new StoredTensor("Byte", new long[] {bytes.length}, bytes));
      return this;
    }

    /**
     * {@return the file}
     *
     * @param source how messages call it
     */
    public TensorFile build(String source) {
      return new TensorFile(source, new LinkedHashMap<>(properties), new LinkedHashMap<>(tensors));
    }
  }

  /**
   * Reads a file.
   *
   * @param path which
   * @return its content
   * @throws DataFileException if it is missing, truncated, damaged, of another version or something
   *     else altogether; says what
   * @throws IOException if it cannot be read
   */
  public static TensorFile read(Path path) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(path))) {
      return read(in, path.toString());
    } catch (NoSuchFileException e) {
      throw new DataFileException(path.toString(), "a file of weights", "nothing of this name");
    }
  }

  /**
   * Reads a stream to its end.
   *
   * @param in the stream; stays open
   * @param source how messages call it
   * @return its content
   * @throws DataFileException as {@link #read(Path)}
   * @throws IOException if it cannot be read
   */
  public static TensorFile read(InputStream in, String source) throws IOException {
    byte[] frame = in.readNBytes(FRAME);
    if (!Arrays.equals(MAGIC, Arrays.copyOf(frame, MAGIC.length))) {
      throw new DataFileException(source, "a file of weights or a checkpoint", "another format");
    }
    if (frame.length < FRAME) {
      throw new DataFileException(source, "at least " + FRAME + " bytes", frame.length + " bytes");
    }
    DataInputStream head =
        new DataInputStream(new ByteArrayInputStream(frame, MAGIC.length, FRAME - MAGIC.length));
    int version = head.readInt();
    if (version != VERSION) {
      throw new DataFileException(source, "version " + VERSION, "version " + version);
    }
    int length = head.readInt();
    long checksum = head.readLong();
    byte[] rest = in.readAllBytes();
    if (rest.length != length) {
      throw new DataFileException(
          source,
          FRAME + (long) length + " bytes",
          FRAME + (long) rest.length + (rest.length < length ? " bytes: truncated" : " bytes"));
    }
    if (checksumOf(rest) != checksum) {
      throw new DataFileException(
          source, "checksum " + Long.toHexString(checksum), "another one: damaged");
    }
    return parse(rest, source);
  }

  private static TensorFile parse(byte[] rest, String source) throws IOException {
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(rest));
    Map<String, String> properties = new LinkedHashMap<>();
    for (int left = in.readInt(); left > 0; left--) {
      properties.put(in.readUTF(), in.readUTF());
    }
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (int left = in.readInt(); left > 0; left--) {
      String name = in.readUTF();
      String dtype = in.readUTF();
      long[] shape = new long[in.readInt()];
      for (int d = 0; d < shape.length; d++) {
        shape[d] = in.readLong();
      }
      tensors.put(name, new StoredTensor(dtype, shape, in.readNBytes(in.readInt())));
    }
    return new TensorFile(source, properties, tensors);
  }

  /**
   * Writes the file. Equal contents give equal bytes.
   *
   * @param out the stream; stays open
   * @throws IOException if it cannot be written
   */
  public void write(OutputStream out) throws IOException {
    byte[] rest = content();
    DataOutputStream data = new DataOutputStream(out);
    data.write(MAGIC);
    data.writeInt(VERSION);
    data.writeInt(rest.length);
    data.writeLong(checksumOf(rest));
    data.write(rest);
    data.flush();
  }

  /** {@return what {@link #write} writes} */
  public byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      write(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
    return bytes.toByteArray();
  }

  private byte[] content() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(properties.size());
      for (Map.Entry<String, String> property : properties.entrySet()) {
        out.writeUTF(property.getKey());
        out.writeUTF(property.getValue());
      }
      out.writeInt(tensors.size());
      for (Map.Entry<String, StoredTensor> entry : tensors.entrySet()) {
        StoredTensor tensor = entry.getValue();
        out.writeUTF(entry.getKey());
        out.writeUTF(tensor.dtype());
        out.writeInt(tensor.shape().length);
        for (long size : tensor.shape()) {
          out.writeLong(size);
        }
        out.writeInt(tensor.bytes().length);
        out.write(tensor.bytes());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("a property is longer than 64 KB", e); // memory does not fail
    }
    return bytes.toByteArray();
  }

  private static long checksumOf(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return crc.getValue();
  }

  /** {@return path or name, for messages} */
  public String source() {
    return source;
  }

  /** {@return all properties} */
  public Map<String, String> properties() {
    return Map.copyOf(properties);
  }

  /**
   * {@return a property}
   *
   * @param name which
   * @throws DataFileException if there is none of this name
   */
  public String property(String name) throws DataFileException {
    String value = properties.get(name);
    if (value == null) {
      throw new DataFileException(source, "the property \"" + name + "\"", "none of this name");
    }
    return value;
  }

  /**
   * {@return a property that is a whole number}
   *
   * @param name which
   * @throws DataFileException if there is none of this name, or it is no number
   */
  public long number(String name) throws DataFileException {
    String value = property(name);
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw new DataFileException(source, "\"" + name + "\" to be a number", value);
    }
  }

  /**
   * Checks a property.
   *
   * @param name which
   * @param expected its value
   * @throws DataFileException if it has another value or is missing
   */
  public void require(String name, String expected) throws DataFileException {
    String value = property(name);
    if (!value.equals(expected)) {
      throw new DataFileException(source, name + " \"" + expected + "\"", "\"" + value + "\"");
    }
  }

  /**
   * {@return bytes that are no tensor}
   *
   * @param name which
   * @throws DataFileException if there are none of this name
   */
  public byte[] bytes(String name) throws DataFileException {
    return tensor(name).bytes();
  }

  private StoredTensor tensor(String name) throws DataFileException {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new DataFileException(source, name, "no tensor of this name: another network?");
    }
    return tensor;
  }

  /** Checks that the tensor of this name is there and has type and shape of another. */
  void requireFit(String name, Tensor tensor) throws DataFileException {
    StoredTensor stored = tensor(name);
    if (!stored.fits(tensor)) {
      throw new DataFileException(
          source,
          name + " to be " + StoredTensor.of(tensor).describe(),
          stored.describe() + ": another network");
    }
  }

  /** Copies a tensor that {@link #requireFit} has checked. */
  void copyTo(String name, Tensor tensor) {
    tensors.get(name).copyTo(tensor);
  }
}
