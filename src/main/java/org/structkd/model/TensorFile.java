package org.structkd.model;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.data.DataFileException;
import org.structkd.internal.Scopes;

/**
 * Named tensors and properties in a safetensors file: weights of a network, or a checkpoint. Python
 * opens it by {@code safetensors.torch.load_file}; its files are read, too.
 *
 * <pre>{@code
 * length of the header u64, header in JSON, elements of all tensors (little-endian)
 * }</pre>
 *
 * <p>Properties are the header's {@code __metadata__}. What this class writes has a checksum among
 * them, the CRC-32C of everything else, and reading compares it before anything is used. Elements
 * go from tensor memory to the file and back in small pieces: size is limited by the format alone.
 *
 * <p>A file that was opened by {@link #open} must be closed. For one thread at a time.
 */
public final class TensorFile implements AutoCloseable {
  private final String source;
  private final Map<String, String> properties;
  private final Map<String, StoredTensor> tensors;
  private final @Nullable RandomAccessFile file;

  private TensorFile(
      String source,
      Map<String, String> properties,
      Map<String, StoredTensor> tensors,
      @Nullable RandomAccessFile file) {
    this.source = source;
    this.properties = properties;
    this.tensors = tensors;
    this.file = file;
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
     * @throws IllegalArgumentException if the name is one that every file has for itself
     */
    public Builder property(String name, String value) {
      if (SafetensorsFormat.OWN.contains(name)) {
        throw new IllegalArgumentException(
            "a property has the name \"" + name + "\", which a file of tensors has itself");
      }
      properties.put(name, value);
      return this;
    }

    /**
     * Adds a tensor: what it holds when the file is written, not a copy.
     *
     * @param name its name
     * @param tensor on any device
     * @return this
     * @throws IllegalArgumentException if its type is none of the format's
     */
    public Builder tensor(String name, Tensor tensor) {
      tensors.put(name, StoredTensor.of(Scopes.unscoped(tensor::detach)));
      return this;
    }

    /**
     * {@return the file}
     *
     * @param source how messages call it
     */
    public TensorFile build(String source) {
      return new TensorFile(
          source, new LinkedHashMap<>(properties), new LinkedHashMap<>(tensors), null);
    }
  }

  /**
   * Opens a file, and reads all of it once to compare its checksum.
   *
   * @param path which
   * @return its content, to be closed
   * @throws DataFileException if it is missing, truncated, damaged or something else altogether;
   *     says what
   * @throws IOException if it cannot be read
   */
  public static TensorFile open(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      throw new DataFileException(
          path.toString(),
          "a safetensors file",
          Files.exists(path) ? "no file" : "nothing of this name");
    }
    // Not a FileChannel: an interrupt of the thread would close it.
    RandomAccessFile file = new RandomAccessFile(path.toFile(), "r");
    try {
      return of(
          SafetensorsFormat.read(
              (at, chunk, length) -> {
                file.seek(at);
                file.readFully(chunk, 0, length);
              },
              file.length(),
              path.toString()),
          path.toString(),
          file);
    } catch (IOException | RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /**
   * Reads a stream to its end into memory, for small files such as resources.
   *
   * @param in the stream; stays open
   * @param source how messages call it
   * @return its content, which need not be closed
   * @throws DataFileException as {@link #open}
   * @throws IOException if it cannot be read
   */
  public static TensorFile read(InputStream in, String source) throws IOException {
    byte[] bytes = in.readAllBytes();
    return of(
        SafetensorsFormat.read(
            (at, chunk, length) -> System.arraycopy(bytes, (int) at, chunk, 0, length),
            bytes.length,
            source),
        source,
        null);
  }

  private static TensorFile of(
      SafetensorsFormat.Content content, String source, @Nullable RandomAccessFile file) {
    return new TensorFile(source, content.properties(), content.tensors(), file);
  }

  /**
   * Writes the file, in pieces. Equal contents give equal bytes.
   *
   * @param out the stream; stays open
   * @throws IOException if it cannot be written
   */
  public void write(OutputStream out) throws IOException {
    SafetensorsFormat.write(out, properties, tensors);
  }

  /** {@return what {@link #write} writes, in memory: for small files} */
  public byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      write(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
    return bytes.toByteArray();
  }

  /** {@return path or name, for messages} */
  public String source() {
    return source;
  }

  /** {@return all properties but those that every file has for itself} */
  public Map<String, String> properties() {
    return Collections.unmodifiableMap(properties);
  }

  /** {@return the names of all tensors} */
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
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
   * {@return whether a property is "true"; a file that does not say is off}
   *
   * @param name which
   * @throws DataFileException if it is neither "true" nor "false"
   */
  public boolean isOn(String name) throws DataFileException {
    String value = properties.getOrDefault(name, "false");
    if (!value.equals("true") && !value.equals("false")) {
      throw new DataFileException(source, "\"" + name + "\" to be true or false", value);
    }
    return value.equals("true");
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
   * {@return a new tensor on the CPU, in the PointerScope that is open}
   *
   * @param name which
   * @throws DataFileException if there is none of this name
   * @throws IOException if it cannot be read
   */
  public Tensor tensor(String name) throws IOException {
    return stored(name).load();
  }

  private StoredTensor stored(String name) throws DataFileException {
    StoredTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new DataFileException(
          source, "tensor \"" + name + "\"", "no tensor of this name: another network?");
    }
    return tensor;
  }

  /**
   * Checks that the tensor of this name is there, and has type and shape of another.
   *
   * @param name which
   * @param tensor of the same type and shape
   * @throws DataFileException if it is not so
   */
  public void requireFit(String name, Tensor tensor) throws DataFileException {
    StoredTensor stored = stored(name);
    if (!stored.fits(tensor)) {
      throw new DataFileException(
          source,
          "tensor \"" + name + "\" to be " + StoredTensor.of(tensor).describe(),
          stored.describe() + ": another network");
    }
  }

  /**
   * Checks that the tensor of this name is there, has the shape of another, and numbers of the same
   * kind: floating or whole.
   *
   * @return "from F16 to F32" where the type is another, else an empty text
   * @throws DataFileException if it is not so
   */
  String requireAlike(String name, Tensor tensor) throws DataFileException {
    StoredTensor stored = stored(name);
    ElementType wanted = ElementType.of(tensor);
    if (!Arrays.equals(stored.shape(), tensor.shape()) || !stored.type().isLike(wanted)) {
      throw new DataFileException(
          source,
          "tensor \"" + name + "\" to be " + StoredTensor.of(tensor).describe(),
          stored.describe() + ": another network, or a name that means another tensor");
    }
    return stored.type() == wanted ? "" : "from " + stored.type() + " to " + wanted;
  }

  /**
   * Reads a tensor into the memory of another.
   *
   * @param name which
   * @param tensor of the same type and shape, on any device
   * @throws DataFileException as {@link #requireFit}; nothing has changed then
   * @throws IOException if it cannot be read
   */
  public void copyTo(String name, Tensor tensor) throws IOException {
    requireFit(name, tensor);
    stored(name).copyTo(tensor);
  }

  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
    }
  }
}
