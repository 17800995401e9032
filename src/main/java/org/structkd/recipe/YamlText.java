package org.structkd.recipe;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes values as people write recipes: one line for each choice, such as {@code student: {kind:
 * segmentation_net, width: 6}}, and lines below for maps of named choices and for what is longer
 * than a line.
 */
final class YamlText {
  /** Characters of a line, as in our texts. */
  private static final int LINE = 120;

  /** Smaller numbers are read more easily with an exponent: 0.000001, but 1e-8. */
  private static final double PLAIN = 1e-6;

  /** Words that need no quotes; {@link #text} also looks for those with a meaning of their own. */
  private static final String WORD = "[A-Za-z_/][A-Za-z0-9_./+-]*(?:,? [A-Za-z0-9_./+()-]+)*\\.?";

  private YamlText() {}

  /** The lines of a map, each ended. */
  static String block(ObjectNode map) {
    StringBuilder out = new StringBuilder();
    block(map, 0, out);
    return out.toString();
  }

  private static void block(ObjectNode map, int indent, StringBuilder out) {
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      String key = " ".repeat(indent) + key(entry.getKey()) + ":";
      JsonNode value = entry.getValue();
      String line = key + " " + (value.isTextual() ? text(value.textValue(), false) : flow(value));
      if (value instanceof ObjectNode below && isBlock(below, line)) {
        out.append(key).append('\n');
        block(below, indent + 2, out);
      } else if (value.isArray() && !value.isEmpty() && value.get(0) instanceof ObjectNode) {
        out.append(key).append('\n');
        value.forEach(item -> item((ObjectNode) item, indent + 2, out));
      } else {
        out.append(line).append('\n');
      }
    }
  }

  private static boolean isBlock(ObjectNode map, String line) {
    boolean named = true;
    for (JsonNode value : map) {
      named &= value instanceof ObjectNode;
    }
    return !map.isEmpty() && (named || line.length() > LINE);
  }

  /** An item of a list: its first line begins with a dash. */
  private static void item(ObjectNode map, int indent, StringBuilder out) {
    StringBuilder lines = new StringBuilder();
    block(map, indent + 2, lines);
    lines.setCharAt(indent, '-');
    out.append(lines);
  }

  /** A value in one line. */
  static String flow(JsonNode value) {
    List<String> parts = new ArrayList<>();
    if (value instanceof ObjectNode map) {
      map.properties()
          .forEach(entry -> parts.add(key(entry.getKey()) + ": " + flow(entry.getValue())));
      return "{" + String.join(", ", parts) + "}";
    }
    if (value.isArray()) {
      value.forEach(item -> parts.add(flow(item)));
      return "[" + String.join(", ", parts) + "]";
    }
    return value.isFloatingPointNumber()
        ? number(value.doubleValue())
        : value.isTextual() ? text(value.textValue(), true) : value.asText();
  }

  /** The shortest number that is read as the same one. */
  private static String number(double value) {
    BigDecimal exact = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    if (value == 0 || Math.abs(value) >= PLAIN && Math.abs(value) < 1 / PLAIN) {
      return exact.signum() == 0 ? "0" : exact.toPlainString();
    }
    return exact.toString().replace("E+", "e").replace('E', 'e');
  }

  /** A key, which may be a word that has another meaning as a value. */
  private static String key(String key) {
    return key.matches("[A-Za-z_][A-Za-z0-9_.-]*") ? key : quoted(key);
  }

  /** A text with quotes where it needs them; a comma is a sign inside a flow only. */
  private static String text(String text, boolean inFlow) {
    boolean plain =
        text.matches(WORD)
            && !(inFlow && text.contains(","))
            && !text.matches("(?i)true|false|null|y|n|yes|no|on|off|nan|inf");
    return plain ? text : quoted(text);
  }

  /** JSON's quoted strings are YAML's, too. */
  private static String quoted(String text) {
    return TextNode.valueOf(text).toString();
  }
}
