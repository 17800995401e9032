package com.example.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The folder of an exported student, without any library of structkd.
 *
 * @param script its TorchScript file
 * @param inputs of its example, in the order of the call
 * @param outputs that structkd computed of them, by name
 */
record Exported(Path script, Map<String, Numbers> inputs, Map<String, Numbers> outputs) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * Numbers of a tensor.
   *
   * @param shape its sizes
   * @param isWhole whether they are i64, else f32
   * @param bytes row-major, little-endian, in direct memory
   */
  record Numbers(long[] shape, boolean isWhole, ByteBuffer bytes) {}

  /** Reads a folder that ./structkd export wrote. */
  static Exported read(Path folder) throws IOException {
    JsonNode about = JSON.readTree(folder.resolve("student.json").toFile());
    if (about.path("format").asInt() != 1) {
      throw new IOException(folder + " has the format " + about.path("format") + ", expected 1");
    }
    Map<String, Numbers> example = safetensors(folder.resolve("example.safetensors"));
    return new Exported(
        folder.resolve("student.pt"),
        named(about.path("inputs"), "input.", example),
        named(about.path("outputs"), "output.", example));
  }

  private static Map<String, Numbers> named(
      JsonNode list, String prefix, Map<String, Numbers> example) {
    Map<String, Numbers> named = new LinkedHashMap<>();
    for (JsonNode one : list) {
      String name = one.path("name").asText();
      named.put(name, example.get(prefix + name));
    }
    return named;
  }

  /** Length of the header, header in JSON, elements. */
  private static Map<String, Numbers> safetensors(Path file) throws IOException {
    ByteBuffer content = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int begin = 8 + (int) content.getLong();
    JsonNode header = JSON.readTree(content.array(), 8, begin - 8);
    Map<String, Numbers> tensors = new LinkedHashMap<>();
    header
        .fields()
        .forEachRemaining(
            entry -> {
              if (!entry.getKey().equals("__metadata__")) {
                tensors.put(entry.getKey(), numbers(entry.getValue(), content, begin));
              }
            });
    return tensors;
  }

  private static Numbers numbers(JsonNode tensor, ByteBuffer content, int begin) {
    String type = tensor.path("dtype").asText();
    if (!type.equals("F32") && !type.equals("I64")) {
      throw new IllegalArgumentException("a tensor is of type " + type + ", expected F32 or I64");
    }
    int from = begin + tensor.path("data_offsets").path(0).asInt();
    int length = begin + tensor.path("data_offsets").path(1).asInt() - from;
    ByteBuffer bytes = ByteBuffer.allocateDirect(length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(0, content, from, length);
    List<Long> shape = new ArrayList<>();
    tensor.path("shape").forEach(size -> shape.add(size.asLong()));
    return new Numbers(
        shape.stream().mapToLong(Long::longValue).toArray(), type.equals("I64"), bytes);
  }
}
