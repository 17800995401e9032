package org.structkd.run;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.Augmentation;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;
import org.structkd.model.BackboneNet;
import org.structkd.model.NetworkFile;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.StateDict;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.train.Distiller;

/**
 * What a file holds that a recipe can name: a network, which is run once, or weights.
 *
 * @param file which
 * @param kind what it is
 * @param what it in words
 * @param parameters numbers that learn; empty where they are constants of code
 * @param inputs names, with the shapes that it was run with; an empty shape where it was not
 * @param outputs taps, with the shapes that came out; an empty shape where it was not run
 * @param backbone whose weights it holds, by torchvision's names
 */
public record InspectedFile(
    Path file,
    Kind kind,
    String what,
    OptionalLong parameters,
    Map<String, long[]> inputs,
    Map<String, long[]> outputs,
    Optional<BackboneNet.Backbone> backbone) {
  /** What a file can be. */
  public enum Kind {
    /** A network that a run of this library has trained. */
    NETWORK,
    /** A TorchScript module. */
    TORCHSCRIPT,
    /** Tensors without a network. */
    WEIGHTS
  }

  /** Behind eight bytes of length, a safetensors file has a map in JSON. */
  private static final int HEADER = 8;

  /** What the properties of a file of ours call the channels of its images. */
  private static final String CHANNELS = "channels";

  /** Those of photographs. */
  private static final int USUAL_CHANNELS = 3;

  private static final long[] NOT_RUN = {};

  /** What to do where a network refuses the image. */
  private static final String OTHER_IMAGES = ": --size and --channels choose others";

  /**
   * Reads a file and runs what it holds on an image of zeros.
   *
   * @param file which
   * @param size of the image
   * @param channels of the image; 0: those that the file tells, or 3
   * @return what it holds
   * @throws DataFileException if it holds no network and no weights; says what it is
   * @throws RunException if the network refuses such an image
   * @throws IOException if it cannot be read
   */
  public static InspectedFile of(Path file, Augmentation.Size size, int channels)
      throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(
          file.toString(), "a network", Files.exists(file) ? "no file" : "nothing of this name");
    }
    try (PointerScope temporaries = new PointerScope()) {
      if (!isSafetensors(file)) {
        return ofScript(file, image(size, channels == 0 ? USUAL_CHANNELS : channels));
      }
      try (TensorFile tensors = TensorFile.open(file)) {
        Distiller.requireWeights(tensors);
        return tensors.properties().containsKey(NetworkFile.KIND)
            ? ofNetwork(file, tensors, size, channels)
            : ofWeights(file, tensors);
      }
    }
  }

  private static boolean isSafetensors(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] head = in.readNBytes(HEADER + 1);
      return head.length > HEADER && head[HEADER] == '{';
    }
  }

  private static Tensor image(Augmentation.Size size, int channels) {
    return torch.zeros(1, channels, size.height(), size.width());
  }

  private static InspectedFile ofScript(Path file, Tensor image) throws IOException {
    try (ScriptedNetwork network = ScriptedNetwork.load(file, image)) {
      long parameters = network.parameters();
      return new InspectedFile(
          file,
          Kind.TORCHSCRIPT,
          "TorchScript",
          parameters == 0 ? OptionalLong.empty() : OptionalLong.of(parameters),
          Map.of(TappedNetwork.IMAGES, image.shape()),
          shapes(network, image),
          Optional.empty());
    } catch (DataFileException e) {
      if (e.expected().endsWith(shown(image.shape()))) { // it is TorchScript, for other images
        throw RunException.refused(e.getMessage() + OTHER_IMAGES);
      }
      throw e;
    }
  }

  private static InspectedFile ofNetwork(
      Path file, TensorFile tensors, Augmentation.Size size, int channels) throws IOException {
    try (TrainableNetwork network = NetworkFile.network(tensors)) {
      Map<String, long[]> inputs = new TreeMap<>();
      Map<String, long[]> outputs = new TreeMap<>();
      if (network.inputs().equals(Set.of(TappedNetwork.IMAGES))) {
        String own = network.shape().getOrDefault(CHANNELS, Integer.toString(USUAL_CHANNELS));
        Tensor image = image(size, channels == 0 ? Integer.parseInt(own) : channels);
        inputs.put(TappedNetwork.IMAGES, image.shape());
        outputs.putAll(shapes(network, image));
      } else {
        network.inputs().forEach(name -> inputs.put(name, NOT_RUN));
        network.taps().forEach(name -> outputs.put(name, NOT_RUN));
      }
      return new InspectedFile(
          file,
          Kind.NETWORK,
          told(network),
          OptionalLong.of(StateDict.parameterCount(network.module())),
          inputs,
          outputs,
          Optional.empty());
    }
  }

  private static Map<String, long[]> shapes(TappedNetwork network, Tensor image) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    try {
      Map<String, Tensor> outputs = network.infer(image);
      for (String tap : new TreeSet<>(network.taps())) {
        shapes.put(tap, outputs.get(tap).shape());
      }
      return shapes;
    } catch (IllegalArgumentException e) {
      throw RunException.refused(e.getMessage() + OTHER_IMAGES);
    }
  }

  private static String told(TrainableNetwork network) {
    Map<String, String> shape = new TreeMap<>(network.shape());
    String kind = shape.remove(NetworkFile.KIND);
    return kind
        + ", "
        + shape.entrySet().stream()
            .map(size -> size.getKey() + " " + size.getValue())
            .collect(Collectors.joining(", "));
  }

  /** Weights of a backbone are those that it takes. */
  private static InspectedFile ofWeights(Path file, TensorFile tensors) throws IOException {
    Optional<BackboneNet.Backbone> found = Optional.empty();
    for (BackboneNet.Backbone backbone : BackboneNet.Backbone.values()) {
      BackboneNet.Config config =
          new BackboneNet.Config(USUAL_CHANNELS, backbone, BackboneNet.Head.LRASPP, 1);
      try (BackboneNet network = new BackboneNet(config, 0)) {
        network.loadBackbone(tensors);
        found = Optional.of(backbone);
        break;
      } catch (DataFileException e) {
        // Those of another one.
      }
    }
    if (tensors.names().isEmpty()) {
      throw new DataFileException(file.toString(), "a network or weights", "no tensor");
    }
    String what =
        "%d tensors without a network, %s"
            .formatted(
                tensors.names().size(),
                found
                    .map(backbone -> "weights of a " + Words.of(backbone))
                    .orElse("of no backbone with torchvision's names"));
    return new InspectedFile(
        file, Kind.WEIGHTS, what, OptionalLong.empty(), Map.of(), Map.of(), found);
  }

  /**
   * {@return the tap that most probably holds class scores: the one that is called so, else that of
   * the fewest channels, of maps where there are any}
   */
  Optional<String> scores() {
    if (outputs.containsKey(BackboneNet.LOGITS) && outputs.get(BackboneNet.LOGITS).length > 1) {
      return Optional.of(BackboneNet.LOGITS);
    }
    for (int rank : new int[] {4, 2}) {
      Optional<String> fewest =
          outputs.entrySet().stream()
              .filter(output -> output.getValue().length == rank)
              .min(Map.Entry.comparingByValue((a, b) -> Long.compare(a[1], b[1])))
              .map(Map.Entry::getKey);
      if (fewest.isPresent()) {
        return fewest;
      }
    }
    return Optional.empty();
  }

  /** {@return the tap of the most telling map beside the scores: of most channels, if any} */
  Optional<String> features() {
    if (outputs.containsKey(BackboneNet.FEATURES)) {
      return Optional.of(BackboneNet.FEATURES);
    }
    long classes = scores().map(tap -> outputs.get(tap)[1]).orElse(0L);
    return outputs.entrySet().stream()
        .filter(output -> output.getValue().length == 4 && output.getValue()[1] > classes)
        .max(Map.Entry.comparingByValue((a, b) -> Long.compare(a[1], b[1])))
        .map(Map.Entry::getKey);
  }

  /** {@return what losses could do with a tap, in words} */
  private String use(String tap) {
    int rank = outputs.get(tap).length;
    if (scores().filter(tap::equals).isPresent()) {
      return rank == 4
          ? "class scores: pixelwise, channelwise"
          : "class scores: pixelwise, decoupled";
    }
    if (tap.equals(BackboneNet.UPSAMPLED) && rank == 4) {
      return "class scores at the image's size: cross_entropy, a metric";
    }
    return switch (rank) {
      case 4 -> "a map: pairwise, attention_transfer, hint";
      case 2 -> "an embedding: relational, similarity_preserving";
      default -> "";
    };
  }

  /** {@return what it is, line by line} */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    line(text, "file", file.toString());
    line(text, "holds", what);
    parameters.ifPresent(count -> line(text, "parameters", "%,d".formatted(count)));
    inputs.forEach((name, shape) -> line(text, "input", name + " " + shown(shape)));
    outputs.forEach(
        (tap, shape) ->
            line(text, "output", ("%-12s %-20s %s").formatted(tap, shown(shape), use(tap))));
    return text.toString();
  }

  private static void line(StringBuilder text, String key, String value) {
    text.append("%-11s %s".formatted(key, value).stripTrailing()).append('\n');
  }

  private static String shown(long[] shape) {
    return shape.length == 0 ? "" : Arrays.toString(shape);
  }
}
