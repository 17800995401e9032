package org.structkd.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.data.PictureInput;
import org.structkd.internal.Generators;
import org.structkd.model.NetworkInput;
import org.structkd.model.NetworkTrace;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.train.AtomicFile;

/**
 * Writes a trained network for those who serve it without this library: a folder of
 *
 * <pre>{@code
 * student.pt           TorchScript: network, weights, and student.json beside the code
 * student.safetensors  the weights by the names of PyTorch's state_dict
 * student.json         inputs, outputs, classes, normalisation, number of parameters
 * example.safetensors  input.NAME and output.NAME of one example, for whoever loads it to compare
 * }</pre>
 *
 * <p>What was written is loaded again before the folder gets its name, and must put out what the
 * network does, for other numbers of examples, too. Whether it does so for other sizes of images is
 * found out the same way, and told in {@code student.json}. For one thread at a time.
 *
 * <pre>{@code
 * new StudentExport(student).withClasses(List.of("road", "car")).write(Path.of("served"));
 * }</pre>
 */
public final class StudentExport {
  /** TorchScript. */
  public static final String SCRIPT = "student.pt";

  /** Weights alone. */
  public static final String WEIGHTS = "student.safetensors";

  /** What the network reads and puts out. */
  public static final String DESCRIPTION = NetworkTrace.DESCRIPTION;

  /** Inputs and outputs to compare with. */
  public static final String EXAMPLE = "example.safetensors";

  static final String EXAMPLES_AXIS = "B";

  /** Examples of the trace, different from those of the check. */
  private static final int TRACED_EXAMPLES = 2;

  private static final int CHECKED_EXAMPLES = 5;

  /** Size of an axis that nobody gave, where its stride allows: small, and yet has all borders. */
  private static final int USUAL_SIZE = 64;

  /** Largest side of images: 1 GB for three channels. */
  private static final int MAX_SIDE = 1 << 13;

  /** Largest difference of an output from the network's, by its largest value or 1: f32 rounds. */
  private static final double TOLERANCE = 1e-6;

  private final TrainableNetwork student;
  private final Map<String, Integer> sides = new LinkedHashMap<>();
  private List<String> classes = List.of();
  private @Nullable PictureInput pictures;
  private Map<String, String> properties = Map.of();

  /**
   * An export of a network as it is when it is written.
   *
   * @param student on the CPU; stays open, and as it is
   * @throws IllegalArgumentException if it does not say what it reads, or is not on the CPU
   */
  public StudentExport(TrainableNetwork student) {
    if (student.reads().isEmpty()) {
      throw new IllegalArgumentException(
          student.getClass().getName() + " does not say what it reads, expected reads()");
    }
    if (!student.module().parameters().get(0).is_cpu()) {
      throw new IllegalArgumentException(
          "the network is on a GPU, expected on the CPU: its file is loaded anywhere");
    }
    this.student = student;
  }

  /**
   * Names the classes.
   *
   * @param names in the order of their labels
   * @return this
   */
  public StudentExport withClasses(List<String> names) {
    classes = List.copyOf(names);
    return this;
  }

  /**
   * Says how images were normalised.
   *
   * @param how mean and deviation of each channel
   * @return this
   */
  public StudentExport withPictures(PictureInput how) {
    pictures = Objects.requireNonNull(how, "how");
    return this;
  }

  /**
   * Adds properties to the file of the weights.
   *
   * @param more by name
   * @return this
   */
  public StudentExport withProperties(Map<String, String> more) {
    properties = new LinkedHashMap<>(more);
    return this;
  }

  /**
   * Sets the size of the example's images. It matters where the network can be served at that size
   * alone.
   *
   * @param height of the images, as the network allows
   * @param width of the images
   * @return this
   * @throws IllegalArgumentException if the network cannot read images of this size
   */
  public StudentExport withImageSize(int height, int width) {
    requireSide("H", height);
    requireSide("W", width);
    sides.put("H", height);
    sides.put("W", width);
    return this;
  }

  private void requireSide(String name, int side) {
    int multiple =
        student.reads().stream()
            .flatMap(read -> read.axes().stream())
            .filter(axis -> axis.name().equals(name) && axis.size() == 0)
            .mapToInt(NetworkInput.Axis::multiple)
            .findFirst()
            .orElseThrow(
                () -> new IllegalArgumentException("the network reads no images of any size"));
    if (side < 1 || side > MAX_SIDE || side % multiple != 0) {
      throw new IllegalArgumentException(
          "%s is %d, expected a multiple of %d up to %d"
              .formatted(name.equals("H") ? "height" : "width", side, multiple, MAX_SIDE));
    }
  }

  /**
   * Writes the folder, aside at first.
   *
   * @param folder is not there, or empty; the one around it is there
   * @throws RunException if it is no place for an export, or the network cannot be served
   * @throws IOException if it cannot be written, such as on a full disk; nothing is left then
   * @throws IllegalStateException if a weight is not finite
   */
  public void write(Path folder) throws IOException {
    requireFree(folder);
    StateDict.requireFinite(student.module());
    Path place = folder.toAbsolutePath();
    Path aside = place.resolveSibling("." + place.getFileName() + ".part-" + UUID.randomUUID());
    try {
      Files.createDirectory(aside); // for others to read, unlike a temporary one
    } catch (IOException e) {
      throw new IOException(folder + " cannot be written: " + AtomicFile.reason(e), e);
    }
    try (PointerScope temporaries = new PointerScope()) {
      writeInto(aside);
      Files.move(aside, place, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      delete(aside);
    }
  }

  /**
   * Refuses a folder that is no place for an export, which {@link #write} does, too.
   *
   * @param folder where
   * @throws RunException if it holds something, or the one around it is missing
   */
  public static void requireFree(Path folder) throws IOException {
    Path place = folder.toAbsolutePath();
    if (folder.toString().isEmpty() || place.getParent() == null) {
      throw RunException.refused("\"" + folder + "\" is no place for an export, expected a folder");
    }
    if (Files.exists(place)) {
      if (!Files.isDirectory(place)) {
        throw RunException.refused(folder + " is a file, expected a new folder");
      }
      try (Stream<Path> content = Files.list(place)) {
        if (content.findAny().isPresent()) {
          throw RunException.refused(folder + " is not empty, an export needs a folder of its own");
        }
      }
    } else if (!Files.isDirectory(place.getParent())) {
      throw RunException.refused(folder + " cannot be written: its folder is not there");
    }
  }

  private void writeInto(Path aside) throws IOException {
    Path script = aside.resolve(SCRIPT);
    Map<String, Integer> traced = sizes(0);
    Map<String, Tensor> example = example(traced);
    writeBytes(script, NetworkTrace.of(student, example, ""));
    for (int examples : new int[] {TRACED_EXAMPLES, 1, CHECKED_EXAMPLES}) {
      Map<String, Integer> other = new LinkedHashMap<>(traced);
      other.put(EXAMPLES_AXIS, examples);
      String difference = difference(script, example(other));
      if (!difference.isEmpty()) {
        throw RunException.failed(
            "the network cannot be exported: for %d examples its TorchScript, traced of %d, %s"
                .formatted(examples, TRACED_EXAMPLES, difference));
      }
    }
    boolean anySize = difference(script, example(sizes(2))).isEmpty();
    if (!anySize && sides.isEmpty() && traced.containsKey("H")) {
      throw RunException.refused(
          "the network can be exported for images of one size only: which one is needed,"
              + " --size HxW (Java: withImageSize)");
    }
    Map<String, Tensor> outputs = student.infer(example);
    String description =
        new StudentDescription(student, classes, pictures)
            .json(anySize ? Map.of() : traced, outputs);
    writeBytes(script, NetworkTrace.of(student, example, description));
    byte[] text = description.getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(aside.resolve(DESCRIPTION), out -> out.write(text));
    AtomicFile.write(aside.resolve(WEIGHTS), student.toFile(properties)::write);
    TensorFile.Builder compared = TensorFile.builder();
    new TreeMap<>(example).forEach((name, input) -> compared.tensor("input." + name, input));
    new TreeMap<>(outputs).forEach((name, tap) -> compared.tensor("output." + name, tap));
    AtomicFile.write(aside.resolve(EXAMPLE), compared.build("example")::write);
  }

  /**
   * Sizes of all axes that may have any.
   *
   * @param more how many strides are added to what is traced
   */
  private Map<String, Integer> sizes(int more) {
    Map<String, Integer> sizes = new LinkedHashMap<>();
    sizes.put(EXAMPLES_AXIS, TRACED_EXAMPLES);
    for (NetworkInput read : student.reads()) {
      for (NetworkInput.Axis axis : read.axes()) {
        if (axis.size() == 0 && !axis.name().equals(EXAMPLES_AXIS)) {
          int usual = Math.max(1, USUAL_SIZE / axis.multiple()) * axis.multiple();
          int grown = more * axis.multiple() * (axis.name().equals("W") ? 2 : 1);
          sizes.put(axis.name(), sides.getOrDefault(axis.name(), usual) + grown);
        }
      }
    }
    return sizes;
  }

  /** Numbers between 0 and 1, or indices; always the same. */
  private Map<String, Tensor> example(Map<String, Integer> sizes) {
    ScalarType type = student.module().parameters().get(0).scalar_type().intern();
    Map<String, Tensor> example = new LinkedHashMap<>();
    for (NetworkInput read : student.reads()) {
      long[] shape =
          read.axes().stream()
              .mapToLong(axis -> axis.size() > 0 ? axis.size() : sizes.get(axis.name()))
              .toArray();
      example.put(
          read.name(),
          Generators.seeded(
              1,
              () ->
                  read.indices() == 0
                      ? torch.rand(shape).to(type)
                      : torch.randint(read.indices(), shape).to(ScalarType.Long)));
    }
    return example;
  }

  /** How the file's outputs differ from the network's; empty if they do not. */
  private String difference(Path script, Map<String, Tensor> inputs) {
    try (PointerScope temporaries = new PointerScope()) {
      Map<String, Tensor> expected = student.infer(inputs);
      Map<String, Tensor> found;
      try {
        found = NetworkTrace.run(script, new ArrayList<>(inputs.values()));
      } catch (StructkdException e) {
        return "fails: " + e.getMessage();
      }
      for (Map.Entry<String, Tensor> tap : expected.entrySet()) {
        Tensor other = found.get(tap.getKey());
        if (!Arrays.equals(other.shape(), tap.getValue().shape())) {
          return "puts out another shape of " + tap.getKey();
        }
        if (tap.getValue().numel() == 0) {
          continue;
        }
        double largest = Math.max(1, tap.getValue().abs().max().item_double());
        double apart = other.sub(tap.getValue()).abs().max().item_double();
        if (!(apart <= TOLERANCE * largest)) {
          return "puts out another " + tap.getKey() + ", by " + apart;
        }
      }
      return "";
    }
  }

  private static void writeBytes(Path file, Tensor bytes) throws IOException {
    try (PointerScope temporaries = new PointerScope()) {
      BytePointer memory = new BytePointer(bytes.data_ptr()).capacity(bytes.numel());
      byte[] piece = new byte[1 << 16];
      AtomicFile.write(
          file,
          out -> {
            for (long from = 0; from < bytes.numel(); from += piece.length) {
              int length = (int) Math.min(piece.length, bytes.numel() - from);
              memory.position(from).get(piece, 0, length);
              out.write(piece, 0, length);
            }
          });
    }
  }

  private static void delete(Path aside) throws IOException {
    if (!Files.isDirectory(aside)) {
      return;
    }
    try (Stream<Path> files = Files.list(aside)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(aside);
  }
}
