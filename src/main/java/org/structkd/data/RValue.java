package org.structkd.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A value of R as {@link RSerialization} reads it.
 *
 * @param data int[], double[], String[] (null where R has NA) or a list of values; null for NULL
 *     and for what is stored in a short form, such as names of rows
 * @param attributes such as {@code names} and {@code levels}, by name
 */
record RValue(@Nullable Object data, Map<String, RValue> attributes) {
  /** R's missing whole number. */
  static final int MISSING = Integer.MIN_VALUE;

  static final RValue NULL = new RValue(null, Map.of());

  /** What the value is, for sentences. */
  String kind() {
    return data instanceof int[]
        ? "whole numbers"
        : data instanceof double[]
            ? "numbers"
            : data instanceof String[] ? "strings" : data instanceof List ? "a list" : "no data";
  }

  /** The strings of a value that is not made of others; null where it has none. */
  @Nullable String @Nullable [] strings() {
    if (data instanceof String[] strings) {
      return strings;
    }
    return null;
  }

  /** A value of a list by its name; null where there is none. */
  @Nullable RValue named(String name) {
    RValue names = attributes.get("names");
    String[] all = names == null ? null : names.strings();
    if (!(data instanceof List<?> values) || all == null || all.length != values.size()) {
      return null;
    }
    int at = Arrays.asList(all).indexOf(name);
    return at < 0 ? null : (RValue) values.get(at);
  }

  /** The numbers of a column, NaN where one is missing; null if it has none. */
  double @Nullable [] numbers() {
    if (data instanceof double[] numbers) {
      return numbers;
    }
    return data instanceof int[] whole && !attributes.containsKey("levels")
        ? Arrays.stream(whole).mapToDouble(n -> n == MISSING ? Double.NaN : n).toArray()
        : null;
  }

  /** The names of a column's entries: of a factor its levels, else what it holds as text. */
  @Nullable List<String> names() {
    RValue levels = attributes.get("levels");
    if (levels != null) {
      String[] known = levels.strings();
      if (known == null || !(data instanceof int[] codes)) {
        return null;
      }
      List<String> names = new ArrayList<>(codes.length);
      for (int code : codes) {
        if (code < 1 || code > known.length) {
          return null;
        }
        names.add(known[code - 1]);
      }
      return names;
    }
    if (data instanceof int[] whole) {
      return Arrays.stream(whole).mapToObj(Integer::toString).toList();
    }
    String[] strings = strings();
    return strings == null || Arrays.asList(strings).contains(null) ? null : List.of(strings);
  }
}
