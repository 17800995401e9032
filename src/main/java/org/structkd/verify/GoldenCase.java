package org.structkd.verify;

import org.jspecify.annotations.Nullable;

/**
 * One case of a golden file. The parts that only some ops need are read when they are asked for.
 *
 * @param name for people
 * @param op which loss; null: the case is documentation
 * @param json the whole case
 */
public record GoldenCase(String name, @Nullable String op, GoldenValue json) {

  static GoldenCase of(GoldenValue json) {
    GoldenValue op = json.get("op");
    return new GoldenCase(json.get("name").text(), op.isNull() ? null : op.text(), json);
  }

  /** What selects the variant; every op reads it once and completely. */
  GoldenOptions options() {
    return new GoldenOptions(json.get("options"), json.has("params") ? json.get("params") : null);
  }

  /** One input tensor. */
  GoldenTensor input(String name) {
    return GoldenTensor.of(json.get("inputs").get(name));
  }

  /** One literal tensor among the parameters. */
  GoldenTensor param(String name) {
    return GoldenTensor.of(json.get("params").get(name));
  }

  /** An error of the file that lies in the inputs as a whole. */
  BadGoldenFileException badInputs(String sentence) {
    return json.get("inputs").bad("do not fit: " + sentence);
  }
}
