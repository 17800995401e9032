package org.structkd.recipe;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The values of a recipe as they were written, before they become records, and where each was
 * written: a line of a file, or an option. A value {@code null} is as if nothing was written.
 */
final class RecipeTree {
  private static final YAMLMapper YAML =
      new YAMLMapper(
          YAMLFactory.builder()
              // "on" and "no" are words
              .enable(YAMLParser.Feature.PARSE_BOOLEAN_LIKE_WORDS_AS_STRINGS)
              .enable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
              .build());

  /** Up to here every whole number is a double. */
  private static final double LARGEST_EXACT = 1L << 53;

  /** YAML's numbers that Jackson cannot read. */
  private static final String NO_NUMBER = "[-+]?\\.(inf|Inf|INF|nan|NaN|NAN)";

  private final String source;
  private final ObjectNode root;
  private final Map<List<String>, String> places = new HashMap<>();

  /**
   * Reads a text.
   *
   * @param source how sentences call it: the file
   * @param yaml the text
   * @throws RecipeException if it is no YAML, no map, or has a key twice
   */
  RecipeTree(String source, String yaml) {
    this.source = source;
    JsonNode read = read(yaml, List.of(), line -> source + ":" + line);
    if (!(read instanceof ObjectNode map)) {
      throw new RecipeException(
          source,
          "is " + shown(read) + ", expected a map of data, student, losses and so on",
          null);
    }
    root = map;
  }

  private interface Places {
    String of(int line);
  }

  private JsonNode read(String yaml, List<String> path, Places where) {
    try (JsonParser parser = YAML.createParser(yaml)) {
      JsonToken first = parser.nextToken();
      JsonNode read = first == null ? YAML.nullNode() : value(parser, path, where);
      if (parser.nextToken() != null) {
        throw at(parser, where, "a second document begins, expected one");
      }
      return read;
    } catch (JsonProcessingException e) {
      int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
      String reason =
          e.getOriginalMessage()
              .lines()
              .filter(text -> !text.startsWith(" ")) // where it is, and a picture of it
              .collect(Collectors.joining(", "));
      throw new RecipeException(where.of(line), "is no YAML: " + reason, e);
    } catch (IOException e) {
      throw new AssertionError("a text cannot fail to be read", e);
    }
  }

  private static RecipeException at(JsonParser parser, Places where, String sentence) {
    return new RecipeException(where.of(parser.currentTokenLocation().getLineNr()), sentence, null);
  }

  private JsonNode value(JsonParser parser, List<String> path, Places where) throws IOException {
    if (parser instanceof YAMLParser yaml && yaml.isCurrentAlias()) {
      throw at(parser, where, join(path) + " is an alias, expected the value itself");
    }
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        ObjectNode map = YAML.createObjectNode();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = parser.currentName();
          List<String> below = child(path, key);
          if (map.has(key)) {
            throw at(parser, where, join(below) + " is given twice, expected once");
          }
          places.put(below, where.of(parser.currentTokenLocation().getLineNr()));
          parser.nextToken();
          map.set(key, value(parser, below, where));
        }
        yield withoutNulls(map);
      }
      case START_ARRAY -> {
        ArrayNode list = YAML.createArrayNode();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          List<String> below = child(path, Integer.toString(list.size()));
          places.put(below, where.of(parser.currentTokenLocation().getLineNr()));
          JsonNode item = value(parser, below, where);
          if (item.isNull()) {
            throw at(parser, where, join(below) + " is empty, expected a value");
          }
          list.add(item);
        }
        yield list;
      }
      case VALUE_NUMBER_FLOAT -> {
        String text = parser.getText();
        double number = text.matches(NO_NUMBER) ? Double.NaN : parser.getDoubleValue();
        if (!Double.isFinite(number)) {
          throw at(parser, where, join(path) + " is " + text + ", expected a finite number");
        }
        boolean whole = number == Math.rint(number) && Math.abs(number) < LARGEST_EXACT;
        yield whole
            ? YAML.getNodeFactory().numberNode((long) number) // 1e3 steps are 1000
            : YAML.getNodeFactory().numberNode(number);
      }
      default -> isNothing(parser) ? YAML.nullNode() : parser.readValueAsTree();
    };
  }

  /** Whether not even quotes stand there: null in YAML, but an empty text to this parser. */
  private static boolean isNothing(JsonParser parser) {
    return parser.currentLocation().getCharOffset()
        == parser.currentTokenLocation().getCharOffset();
  }

  private static ObjectNode withoutNulls(ObjectNode map) {
    map.properties().removeIf(entry -> entry.getValue().isNull());
    return map;
  }

  /**
   * Puts a value in the place of what is there.
   *
   * @param assignment {@code path=value}, the value in YAML
   * @throws RecipeException if it has no such form, or its path leads through a value that is no
   *     map
   */
  void set(String assignment) {
    int equals = assignment.indexOf('=');
    String place = "--set " + assignment;
    if (equals < 1) {
      throw new RecipeException(place, "expected path=value, such as train.steps=400", null);
    }
    List<String> path = List.of(assignment.substring(0, equals).strip().split("\\.", -1));
    set(path, assignment.substring(equals + 1), place);
  }

  /** Puts a value in YAML in the place of what is there, and says by which option. */
  void set(List<String> path, String yaml, String place) {
    set(path, read(yaml, path, line -> place), place);
  }

  private void set(List<String> path, JsonNode value, String place) {
    JsonNode parent = root;
    for (int depth = 0; depth < path.size() - 1; depth++) {
      String key = path.get(depth);
      JsonNode next = child(parent, key);
      if (next.isMissingNode() && parent instanceof ObjectNode map) {
        next = map.putObject(key);
        places.putIfAbsent(path.subList(0, depth + 1), place);
      }
      if (!next.isContainerNode()) {
        List<String> here = path.subList(0, depth + 1);
        throw new RecipeException(
            place,
            next.isMissingNode()
                ? join(here) + " is not there, expected an index below " + parent.size()
                : join(here) + " is " + shown(next) + ", which has no " + path.get(depth + 1),
            null);
      }
      parent = next;
    }
    String last = path.get(path.size() - 1);
    if (parent instanceof ArrayNode list) {
      if (child(list, last).isMissingNode()) {
        throw new RecipeException(
            place, join(path) + " is not there, expected an index below " + list.size(), null);
      }
      if (value.isNull()) {
        list.remove(Integer.parseInt(last));
      } else {
        list.set(Integer.parseInt(last), value);
      }
    } else if (value.isNull()) {
      ((ObjectNode) parent).remove(last);
    } else {
      ((ObjectNode) parent).set(last, value);
    }
    places.put(path, place);
  }

  private static JsonNode child(JsonNode parent, String key) {
    if (!parent.isArray()) {
      return parent.path(key);
    }
    return key.matches("\\d{1,6}") ? parent.path(Integer.parseInt(key)) : MissingNode.getInstance();
  }

  /** The values, which the caller may change. */
  ObjectNode root() {
    return root;
  }

  /** The value at a path; a missing node if there is none. */
  JsonNode at(List<String> path) {
    JsonNode node = root;
    for (String key : path) {
      node = child(node, key);
    }
    return node;
  }

  /** Whether the value at a path was written, not taken from elsewhere. */
  boolean isWritten(List<String> path) {
    return places.containsKey(path);
  }

  /** Whether the value of a key is that of an option, not of the file. */
  boolean isOption(List<String> path, String key) {
    return places.getOrDefault(child(path, key), "").startsWith("--");
  }

  /** Where the value at a path was written, or the nearest around it. */
  String place(List<String> path) {
    for (int depth = path.size(); depth > 0; depth--) {
      String place = places.get(path.subList(0, depth));
      if (place != null) {
        return place;
      }
    }
    return source;
  }

  private static List<String> child(List<String> path, String key) {
    List<String> below = new ArrayList<>(path);
    below.add(key);
    return List.copyOf(below);
  }

  /** A path as options spell it. */
  static String join(List<String> path) {
    return String.join(".", path);
  }

  /** A value as sentences show it. */
  static String shown(JsonNode value) {
    String text =
        value.isMissingNode() || value.isNull()
            ? "empty"
            : value.isTextual() ? value.toString() : YamlText.flow(value);
    return text.length() <= 60 ? text : text.substring(0, 57) + "...";
  }

  /** What is below, written over what is above, key by key; a choice of another kind as a whole. */
  static ObjectNode merged(ObjectNode base, ObjectNode over) {
    ObjectNode result = base.deepCopy();
    over.properties()
        .forEach(
            entry -> {
              JsonNode before = base.path(entry.getKey());
              boolean both = before instanceof ObjectNode && entry.getValue() instanceof ObjectNode;
              result.set(
                  entry.getKey(),
                  both && isSameKind(before, entry.getValue())
                      ? merged((ObjectNode) before, (ObjectNode) entry.getValue())
                      : entry.getValue());
            });
    return result;
  }

  private static boolean isSameKind(JsonNode before, JsonNode over) {
    JsonNode kind = over.path(RecipeBinding.KIND);
    return kind.isMissingNode() || kind.equals(before.path(RecipeBinding.KIND));
  }
}
