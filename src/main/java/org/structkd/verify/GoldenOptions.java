package org.structkd.verify;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The options of a case. An option that nobody read, or that has a value nobody knows, would
 * silently check another loss than the one that is stored: both are failures of the case.
 */
final class GoldenOptions {
  private final GoldenValue json;
  private final Set<String> read = new HashSet<>();

  GoldenOptions(GoldenValue json) {
    this.json = json;
    json.members(); // refuses what is no object
  }

  boolean has(String key) {
    return json.has(key);
  }

  String text(String key, String otherwise) {
    read.add(key);
    if (!has(key)) {
      return otherwise;
    }
    GoldenValue value = json.get(key);
    if (!value.isText()) {
      throw notUnderstood(key, "a text");
    }
    return value.text();
  }

  double number(String key, double otherwise) {
    read.add(key);
    if (!has(key)) {
      return otherwise;
    }
    if (!json.get(key).isNumber()) {
      throw notUnderstood(key, "a number");
    }
    return json.get(key).number();
  }

  int integer(String key, int otherwise) {
    double value = number(key, otherwise);
    if (value != (int) value) {
      throw notUnderstood(key, "a whole number");
    }
    return (int) value;
  }

  boolean flag(String key, boolean otherwise) {
    read.add(key);
    if (!has(key)) {
      return otherwise;
    }
    return switch (json.get(key).json().toString()) {
      case "true" -> true;
      case "false" -> false;
      default -> throw notUnderstood(key, "true or false");
    };
  }

  /** One of several named values; null where the case leaves it out and there is no default. */
  <T> T choice(String key, Map<String, T> choices, T otherwise) {
    String name = text(key, "");
    if (!has(key)) {
      return otherwise;
    }
    T chosen = choices.get(name);
    if (chosen == null) {
      throw notUnderstood(key, "one of " + String.join(", ", new TreeSet<>(choices.keySet())));
    }
    return chosen;
  }

  /** A constant of an enum by its name. */
  <E extends Enum<E>> E choice(String key, Class<E> type, E otherwise) {
    Map<String, E> choices = new TreeMap<>();
    for (E constant : type.getEnumConstants()) {
      choices.put(constant.name(), constant);
    }
    return choice(key, choices, otherwise);
  }

  /** A choice that a case must make. */
  <T> T requiredChoice(String key, Map<String, T> choices) {
    require(key);
    return choice(key, choices, choices.values().iterator().next());
  }

  /** An option without which a case says nothing. */
  void require(String key) {
    if (!has(key)) {
      throw new BadGoldenFileException(json.where() + ": key options." + key + " is missing");
    }
  }

  /** Fails if there is an option that nobody asked for. Call it once all are read. */
  void requireAllRead() {
    for (String key : json.members()) {
      if (!read.contains(key)) {
        throw new CaseFailureException(
            "unknown option \""
                + key
                + "\", expected "
                + (read.isEmpty() ? "none" : String.join(", ", new TreeSet<>(read))));
      }
    }
  }

  private CaseFailureException notUnderstood(String key, String expected) {
    return new CaseFailureException(
        "option \"" + key + "\" is " + json.get(key).shortened() + ", expected " + expected);
  }
}
