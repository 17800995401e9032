package org.structkd.model;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.structkd.data.DataFileException;
import org.structkd.internal.Named;
import org.structkd.internal.Settings;
import org.structkd.internal.Words;

/** How a file tells the shape of a network that this library makes: its kind, and its sizes. */
public final class NetworkFile {
  /** The property that tells the kind of a network. */
  public static final String KIND = "network";

  /** Makes a network of what a file says. */
  private interface Reader {
    TrainableNetwork of(TensorFile file) throws IOException;
  }

  /** Networks that a file can hold, each with what makes it, by the name in the file. */
  private static final Map<String, Reader> NETWORKS =
      Map.of(
          BackboneNet.KIND, BackboneNet::of,
          SegmentationNet.KIND, SegmentationNet::of,
          MatrixFactorization.KIND, MatrixFactorization::of,
          ResNet.KIND, ResNet::of,
          WideResNet.KIND, WideResNet::of,
          DenseNet.KIND, DenseNet::of,
          SuperResolutionNet.KIND, SuperResolutionNet::of,
          DepthNet.KIND, DepthNet::of,
          TrajectoryNet.KIND, TrajectoryNet::of);

  private NetworkFile() {}

  /**
   * Makes the network of a file, of whichever kind it is.
   *
   * @param file what {@link TrainableNetwork#toFile} made
   * @return the network on the CPU, in evaluation mode, which the caller closes
   * @throws DataFileException if the file says no kind that this library makes
   * @throws IOException if it cannot be read
   */
  public static TrainableNetwork network(TensorFile file) throws IOException {
    String kind = file.property(KIND);
    Reader reader = NETWORKS.get(kind);
    if (reader == null) {
      throw new DataFileException(file.source(), "one of: " + Words.list(NETWORKS.keySet()), kind);
    }
    return reader.of(file);
  }

  /**
   * {@return the properties that tell a shape, a record of numbers, switches and choices} A switch
   * that is off is left out: files from before there was one say nothing of it.
   */
  static Map<String, String> properties(String kind, Record shape) {
    Map<String, String> properties = new LinkedHashMap<>(Map.of(KIND, kind));
    for (RecordComponent size : shape.getClass().getRecordComponents()) {
      Object value = Settings.value(shape, size);
      if (!Boolean.FALSE.equals(value)) {
        properties.put(
            size.getName(), value instanceof Enum<?> choice ? Words.of(choice) : value.toString());
      }
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
        sizes[i] = size(file, components[i]);
      }
      network = make.apply(Settings.made(shape, sizes));
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new DataFileException(file.source(), "the shape of a network", e.getMessage());
    }
    network.restore(file);
    network.module().eval();
    return network;
  }

  /** A number, switch or choice of the type that the shape has for it. */
  private static Object size(TensorFile file, RecordComponent component) throws IOException {
    String name = component.getName();
    if (component.getType().isEnum()) {
      return choice(component, file.property(name));
    }
    if (component.getType() == boolean.class) {
      return file.isOn(name);
    }
    return component.getType() == double.class
        ? (Object) Double.parseDouble(file.property(name)) // errors are arguments'
        : (Object) Math.toIntExact(file.number(name));
  }

  private static Object choice(RecordComponent component, String value) {
    Map<String, Object> choices = new LinkedHashMap<>();
    for (Object constant : component.getType().getEnumConstants()) {
      choices.put(Words.of((Enum<?>) constant), constant);
    }
    return Named.in(choices, "a network's shape", component.getName(), value);
  }
}
