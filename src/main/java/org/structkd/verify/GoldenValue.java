package org.structkd.verify;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
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
public record GoldenValue(String where, String key, JsonElement json) {

  BadGoldenFileException bad(String sentence) {
    return new BadGoldenFileException(
        where + (key.isEmpty() ? ": " : ": key " + key + " ") + sentence);
  }

  boolean isNull() {
    return json.isJsonNull();
  }

  boolean isNumber() {
    return json.isJsonPrimitive() && json.getAsJsonPrimitive().isNumber();
  }

  boolean isText() {
    return json.isJsonPrimitive() && json.getAsJsonPrimitive().isString();
  }

  boolean isList() {
    return json.isJsonArray();
  }

  boolean isObject() {
    return json.isJsonObject();
  }

  boolean has(String member) {
    return isObject() && json.getAsJsonObject().has(member);
  }

  /** The member of an object; absent is an error of the file. */
  GoldenValue get(String member) {
    JsonObject object = object();
    GoldenValue value = at(member, object.get(member));
    if (!object.has(member)) {
      throw new BadGoldenFileException(where + ": key " + value.key + " is missing");
    }
    return value;
  }

  Set<String> members() {
    return object().keySet();
  }

  String text() {
    if (!isText()) {
      throw bad("is " + shortened() + ", expected a text");
    }
    return json.getAsString();
  }

  /** A finite number. */
  double number() {
    if (!isNumber() || !Double.isFinite(json.getAsDouble())) {
      throw bad("is " + shortened() + ", expected a finite number");
    }
    return json.getAsDouble();
  }

  List<GoldenValue> list() {
    if (!isList()) {
      throw bad("is " + shortened() + ", expected a list");
    }
    List<GoldenValue> values = new ArrayList<>();
    for (JsonElement element : json.getAsJsonArray()) {
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

  private JsonObject object() {
    if (!isObject()) {
      throw bad("is " + shortened() + ", expected an object");
    }
    return json.getAsJsonObject();
  }

  private GoldenValue at(String member, JsonElement value) {
    return new GoldenValue(where, key.isEmpty() ? member : key + "." + member, value);
  }
}
