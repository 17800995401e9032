package org.structkd.model;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.structkd.data.DataFileException;
import org.structkd.internal.Settings;

/** How a file tells the shape of a network that this library makes: its kind, and its sizes. */
final class NetworkFile {
  private static final String KIND = "network";

  private NetworkFile() {}

  /** {@return the properties that tell a shape, a record of whole numbers} */
  static Map<String, String> properties(String kind, Record shape) {
    Map<String, String> properties = new LinkedHashMap<>(Map.of(KIND, kind));
    for (RecordComponent size : shape.getClass().getRecordComponents()) {
      properties.put(size.getName(), String.valueOf(Settings.value(shape, size)));
    }
    return properties;
  }

  /**
   * {@return the network of a file, in evaluation mode}
   *
   * @param make a network of a shape, with any weights
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  static <S extends Record, N extends TrainableNetwork> N read(
      TensorFile file, String kind, Class<S> shape, Function<S, N> make) throws IOException {
    file.require(KIND, kind);
    RecordComponent[] components = shape.getRecordComponents();
    Object[] sizes = new Object[components.length];
    N network;
    try {
      for (int i = 0; i < sizes.length; i++) {
        sizes[i] = Math.toIntExact(file.number(components[i].getName()));
      }
      network = make.apply(Settings.made(shape, sizes));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new DataFileException(file.source(), "the shape of a network", e.getMessage());
    }
    network.restore(file);
    network.module().eval();
    return network;
  }
}
