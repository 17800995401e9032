package org.structkd.data;

import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which class the numbers or colours of masks mean.
 *
 * @param classes names of the classes 0 and on, 1 to 255
 * @param labels the class of each value, a number or a colour as {@code "#RRGGBB"}, or {@link
 *     #NONE} if it does not count; empty: values are classes, and 255 does not count
 * @param othersIgnored whether all other values do not count, too, instead of being refused
 */
public record LabelTable(List<String> classes, Map<String, Integer> labels, boolean othersIgnored) {
  /** Stands for the class of a value that does not count. */
  public static final int NONE = -1;

  /** The class of a value that is none: pixels that do not count have it. */
  public static final int IGNORED = SceneBatches.UNLABELLED;

  /** Most classes, as the value 255 is {@link #IGNORED}. */
  public static final int MAX_CLASSES = 255;

  /**
   * Checks the table, and copies it.
   *
   * @throws IllegalArgumentException if there are no or too many classes, a value is no number and
   *     no colour, or a class does not exist
   */
  public LabelTable {
    classes = List.copyOf(classes);
    labels = Collections.unmodifiableMap(new LinkedHashMap<>(labels));
    if (classes.isEmpty() || classes.size() > MAX_CLASSES) {
      throw new IllegalArgumentException(
          "classes has %d names, expected 1 to %d".formatted(classes.size(), MAX_CLASSES));
    }
    Set<String> names = new HashSet<>();
    for (String name : classes) {
      if (!names.add(name)) {
        throw new IllegalArgumentException(
            "classes has \"%s\" twice, expected different names".formatted(name));
      }
    }
    for (Map.Entry<String, Integer> label : labels.entrySet()) {
      value(label.getKey());
      if (label.getValue() < NONE || label.getValue() >= classes.size()) {
        throw new IllegalArgumentException(
            "labels gives %s the class %d, expected 0 to %d, or %d for none"
                .formatted(label.getKey(), label.getValue(), classes.size() - 1, NONE));
      }
    }
  }

  /** {@return a table whose values are classes, but for 255, which does not count} */
  public static LabelTable of(List<String> classes) {
    return new LabelTable(classes, Map.of(), false);
  }

  private static boolean isColour(String value) {
    return value.startsWith("#");
  }

  private static int value(String text) {
    try {
      if (!isColour(text)) {
        int value = Integer.parseInt(text);
        if (value >= 0 && value <= 0xffff) {
          return value;
        }
      } else if (text.length() == 7) {
        return Integer.parseInt(text.substring(1), 16);
      }
    } catch (NumberFormatException e) {
      // It is told below what is expected.
    }
    throw new IllegalArgumentException(
        "a value of masks is \"%s\", expected 0 to 65535 or a colour such as \"#804020\""
            .formatted(text));
  }

  /** The classes of the values of one kind: colours, or numbers. */
  private Map<Integer, Integer> table(boolean coloured) {
    Map<Integer, Integer> table = new HashMap<>();
    if (labels.isEmpty() && !coloured) {
      for (int label = 0; label < classes.size(); label++) {
        table.put(label, label);
      }
      table.put(IGNORED, IGNORED);
    }
    labels.forEach(
        (text, label) -> {
          if (isColour(text) == coloured) {
            table.put(value(text), label == NONE ? IGNORED : label);
          }
        });
    return table;
  }

  /**
   * {@return the class of each pixel of a mask, {@link #IGNORED} where it does not count}
   *
   * @throws DataFileException if a value means nothing; names it, and where it is
   */
  byte[] classes(PictureFile.Mask mask, Path file) throws DataFileException {
    Map<Integer, Integer> table = table(mask.coloured());
    byte[] result = new byte[mask.values().length];
    for (int at = 0; at < result.length; at++) {
      Integer label = table.get(mask.values()[at]);
      if (label == null && !othersIgnored) {
        throw new DataFileException(
            file.toString(),
            "one of the values " + known(table, mask.coloured()),
            "%s at row %d, column %d; labels gives values a class, others_ignored leaves them out"
                .formatted(
                    shown(mask.values()[at], mask.coloured()),
                    at / mask.width(),
                    at % mask.width()));
      }
      result[at] = (byte) (label == null ? IGNORED : label);
    }
    return result;
  }

  private static String shown(int value, boolean coloured) {
    return coloured ? String.format(Locale.ROOT, "#%06x", value) : String.valueOf(value);
  }

  private static String known(Map<Integer, Integer> table, boolean coloured) {
    if (table.isEmpty()) {
      return coloured ? "(masks in colours need labels by colour)" : "(labels has colours alone)";
    }
    StringBuilder text = new StringBuilder();
    int start = -2;
    int end = -2;
    for (int value : new TreeSet<>(table.keySet())) {
      if (value != end + 1) {
        append(text, start, end, coloured);
        start = value;
      }
      end = value;
    }
    append(text, start, end, coloured);
    return text.toString();
  }

  /** Appends a run of values. */
  private static void append(StringBuilder text, int start, int end, boolean coloured) {
    if (start < 0) {
      return;
    }
    text.append(text.isEmpty() ? "" : ", ").append(shown(start, coloured));
    if (end > start) {
      text.append(" to ").append(shown(end, coloured));
    }
  }
}
