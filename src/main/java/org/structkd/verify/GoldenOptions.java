package org.structkd.verify;

import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Words;

/**
 * The options of a case. An option that nobody read, or that has a value nobody knows, would
 * silently check another loss than the one that is stored: both are failures of the case. Numbers
 * among the parameters are options, too, but may be for people only.
 */
final class GoldenOptions {
  /** Words of golden files for options, presets and constants that have other names here. */
  private static final Map<String, String> WORDS =
      Map.of(
          "compare", "comparison",
          "minority_fill", "fill",
          "sampling", "strategy",
          "samples_per_class", "samples",
          "skd_master", "skd_released",
          "cirkd_skd", "cirkd",
          "f1", "group_divergence",
          "f2", "row_divergence",
          "f3", "descriptor_relation");

  private final String where;
  private final Map<String, GoldenValue> values = new TreeMap<>();
  private final Set<String> mustBeRead = new TreeSet<>();
  private final Set<String> read = new HashSet<>();

  GoldenOptions(GoldenValue json, @Nullable GoldenValue params) {
    where = json.where();
    if (params != null) {
      params.members().stream()
          .filter(key -> params.get(key).isNumber())
          .forEach(key -> values.put(key, params.get(key)));
    }
    for (String key : json.members()) {
      values.put(WORDS.getOrDefault(key, key), json.get(key));
      mustBeRead.add(WORDS.getOrDefault(key, key));
    }
  }

  boolean has(String key) {
    return values.containsKey(key);
  }

  /**
   * The value of an option.
   *
   * @param type String, int, long, double, boolean or an enum
   * @param otherwise where the case leaves it out; null: it must not
   */
  @SuppressWarnings("unchecked") // a primitive class casts no boxed value
  <T> T value(String key, Class<T> type, @Nullable Object otherwise) {
    if (type.isEnum()) {
      return choice(
          key,
          Stream.of(type.getEnumConstants())
              .collect(Collectors.toMap(one -> Words.of((Enum<?>) one), one -> one)),
          (T) otherwise);
    }
    read.add(key);
    if (!has(key)) {
      return given(key, (T) otherwise);
    }
    GoldenValue value = values.get(key);
    String json = value.json().toString();
    return (T)
        switch (type.getSimpleName()) {
          case "String" -> checked(key, value.isText(), "a text").text();
          case "double" -> checked(key, value.isNumber(), "a number").number();
          case "int" -> Integer.parseInt(whole(key, json));
          case "long" -> Long.parseLong(whole(key, json));
          case "boolean" ->
              checked(key, value.json().isBoolean(), "true or false").json().booleanValue();
          default -> throw notUnderstood(key, "none: golden files cannot hold a " + type);
        };
  }

  private String whole(String key, String json) {
    checked(key, json.matches("-?\\d{1,9}(\\.0)?"), "a whole number");
    return json.replace(".0", "");
  }

  /** One of several values by their names in lower case; otherwise as for {@link #value}. */
  <T> T choice(String key, Map<String, T> choices, @Nullable T otherwise) {
    read.add(key);
    if (!has(key)) {
      return given(key, otherwise);
    }
    String word = values.get(key).isText() ? values.get(key).text().toLowerCase(Locale.ROOT) : "";
    T chosen = choices.get(WORDS.getOrDefault(word, word));
    if (chosen == null) {
      throw notUnderstood(key, "one of " + Words.list(choices.keySet()).toUpperCase(Locale.ROOT));
    }
    return chosen;
  }

  private <T> T given(String key, @Nullable T otherwise) {
    if (otherwise == null) {
      throw missing(key);
    }
    return otherwise;
  }

  /** {@return the failure of a case without an option that it must have} */
  BadGoldenFileException missing(String key) {
    return new BadGoldenFileException(where + ": key options." + key + " is missing");
  }

  /** Fails if there is an option that nobody asked for. Call it once all are read. */
  void requireAllRead() {
    for (String key : mustBeRead) {
      if (!read.contains(key)) {
        throw new CaseFailureException(
            "unknown option \"" + key + "\", expected " + Words.listNearest(key, read));
      }
    }
  }

  private GoldenValue checked(String key, boolean understood, String expected) {
    if (!understood) {
      throw notUnderstood(key, expected);
    }
    return values.get(key);
  }

  private CaseFailureException notUnderstood(String key, String expected) {
    return new CaseFailureException(
        "option \"" + key + "\" is " + values.get(key).shortened() + ", expected " + expected);
  }
}
