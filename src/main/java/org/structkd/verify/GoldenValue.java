package org.structkd.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A JSON value that knows where it stands, so that whatever is wrong with it can be said with file,
 * case and key.
 *
 * @param where file and case
 * @param key path below the case, such as {@code inputs.S.shape}; empty for the case itself
 * @param json the value
 */
public record GoldenValue(String where, String key, JsonNode json) {

  BadGoldenFileException bad(String sentence) {
    return new BadGoldenFileException(
        where + (key.isEmpty() ? ": " : ": key " + key + " ") + sentence);
  }

  boolean isNull() {
    return json.isNull();
  }

  boolean isNumber() {
    return json.isNumber();
  }

  boolean isText() {
    return json.isTextual();
  }

  boolean isList() {
    return json.isArray();
  }

  boolean isObject() {
    return json.isObject();
  }

  boolean has(String member) {
    return json.has(member);
  }

  /** The member of an object; absent is an error of the file. */
  GoldenValue get(String member) {
    String path = key.isEmpty() ? member : key + "." + member;
    JsonNode value = object().get(member);
    if (value == null) {
      throw new BadGoldenFileException(where + ": key " + path + " is missing");
    }
    return new GoldenValue(where, path, value);
  }

  Set<String> members() {
    Set<String> names = new LinkedHashSet<>();
    object().fieldNames().forEachRemaining(names::add);
    return names;
  }

  String text() {
    if (!isText()) {
      throw bad("is " + shortened() + ", expected a text");
    }
    return json.textValue();
  }

  /** A finite number. */
  double number() {
    if (!isNumber() || !Double.isFinite(json.doubleValue())) {
      throw bad("is " + shortened() + ", expected a finite number");
    }
    return json.doubleValue();
  }

  List<GoldenValue> list() {
    if (!isList()) {
      throw bad("is " + shortened() + ", expected a list");
    }
    List<GoldenValue> values = new ArrayList<>();
    for (JsonNode element : json) {
      values.add(new GoldenValue(where, key + "[" + values.size() + "]", element));
    }
    return values;
  }

  double[] numbers() {
    return list().stream().mapToDouble(GoldenValue::number).toArray();
  }

  /** The value as it stands in the file, cut to what fits in a sentence. */
  String shortened() {
    String text = json.toString();
    return text.length() <= 40 ? text : text.substring(0, 40) + "...";
  }

  private JsonNode object() {
    if (!isObject()) {
      throw bad("is " + shortened() + ", expected an object");
    }
    return json;
  }
}
