package org.structkd.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.data.PictureInput;
import org.structkd.model.NetworkInput;
import org.structkd.model.StateDict;
import org.structkd.model.TrainableNetwork;

/**
 * What an exported network reads and puts out, in JSON; docs/export.md explains it.
 *
 * @param student what is described
 * @param classes names in the order of their labels
 * @param pictures what was done to its images; null if that is not known
 */
record StudentDescription(
    TrainableNetwork student, List<String> classes, @Nullable PictureInput pictures) {
  /** Version of the description: a reader refuses one that it does not know. */
  private static final int FORMAT = 1;

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /**
   * {@return the text}
   *
   * @param fixed sizes of axes that may have no other
   * @param outputs of an example
   */
  String json(Map<String, Integer> fixed, Map<String, Tensor> outputs)
      throws JsonProcessingException {
    ObjectNode root = JSON.createObjectNode();
    root.put("format", FORMAT);
    ObjectNode network = root.putObject("network");
    student.shape().forEach(network::put);
    root.put("fingerprint", student.fingerprint());
    root.put("parameters", StateDict.parameterCount(student.module()));
    ArrayNode inputs = root.putArray("inputs");
    student.reads().forEach(read -> add(inputs.addObject(), read, fixed));
    ArrayNode taps = root.putArray("outputs");
    new TreeMap<>(outputs).forEach((name, tap) -> add(taps.addObject(), name, tap));
    ArrayNode names = root.putArray("classes");
    classes.forEach(names::add);
    return JSON.writeValueAsString(root) + "\n";
  }

  private static void add(ObjectNode told, String name, Tensor tap) {
    told.put("name", name).put("type", typeOf(tap));
    ArrayNode shape = told.putArray("shape_of_example");
    for (long size : tap.shape()) {
      shape.add(size);
    }
  }

  private void add(ObjectNode told, NetworkInput read, Map<String, Integer> fixed) {
    told.put("name", read.name());
    told.put("type", read.indices() > 0 ? "int64" : typeOf(student.module().parameters().get(0)));
    ArrayNode shape = told.putArray("shape");
    ObjectNode multiples = JSON.createObjectNode();
    for (NetworkInput.Axis axis : read.axes()) {
      if (axis.size() > 0) {
        shape.add(axis.size());
      } else if (fixed.containsKey(axis.name())
          && !axis.name().equals(StudentExport.EXAMPLES_AXIS)) {
        shape.add(fixed.get(axis.name()));
      } else {
        shape.add(axis.name());
        if (axis.multiple() > 1) {
          multiples.put(axis.name(), axis.multiple());
        }
      }
    }
    if (!multiples.isEmpty()) {
      told.set("multiples_of", multiples);
    }
    if (read.indices() > 0) {
      told.put("below", read.indices());
    }
    if (pictures != null && read.name().equals(TrainableNetwork.IMAGES)) {
      ObjectNode how = told.putObject("normalized");
      pictures.mean().forEach(how.putArray("mean")::add);
      pictures.deviation().forEach(how.putArray("deviation")::add);
    }
  }

  /** As PyTorch names it. */
  private static String typeOf(Tensor tensor) {
    return switch (tensor.scalar_type().intern()) {
      case Float -> "float32";
      case Double -> "float64";
      case Half -> "float16";
      case BFloat16 -> "bfloat16";
      case Long -> "int64";
      default -> tensor.scalar_type().intern().name().toLowerCase(Locale.ROOT);
    };
  }
}
