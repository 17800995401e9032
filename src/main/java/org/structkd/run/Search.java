package org.structkd.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.structkd.recipe.Recipe;

/** Values of recipes to choose from, by path. */
public final class Search {
  private Search() {}

  /**
   * Reads {@code path=value,value,...}.
   *
   * @throws RunException if there is no path or value
   */
  public static Map<String, List<String>> parse(List<String> options) {
    Map<String, List<String>> search = new LinkedHashMap<>();
    for (String option : options) {
      String[] parts = option.split("=", 2);
      List<String> values = parts.length < 2 ? List.of() : List.of(parts[1].split(",", -1));
      if (parts[0].isBlank() || values.isEmpty() || values.stream().anyMatch(String::isBlank)) {
        throw RunException.refused(
            "--search: \""
                + option
                + "\" is no search, expected path=value,value such as"
                + " losses.pairwise.weight=0.04,0.16,0.6");
      }
      if (search.put(parts[0], values) != null) {
        throw RunException.refused("--search: " + parts[0] + " is given twice");
      }
    }
    return search;
  }

  /**
   * {@return all combinations of the values whose path a recipe has, in the order of the options;
   * each as a list of {@code path=value}, one empty list if there is none} Of a weight that moves
   * the path means the full weight.
   *
   * @param matters whether a path makes a difference
   */
  static List<List<String>> grid(
      Map<String, List<String>> search, Recipe recipe, Predicate<String> matters) {
    JsonNode tree = tree(recipe);
    List<List<String>> points = List.of(List.of());
    for (Map.Entry<String, List<String>> entry : search.entrySet()) {
      String path = entry.getKey();
      JsonNode node = tree.at("/" + path.replace('.', '/'));
      String last = path.substring(path.lastIndexOf('.') + 1);
      if (node.path(last).isNumber()) {
        path += "." + last; // a weight that moves: its full weight
      } else if (node.isMissingNode() || node.isContainerNode()) {
        continue;
      }
      if (!matters.test(path)) {
        continue;
      }
      List<List<String>> longer = new ArrayList<>();
      for (List<String> point : points) {
        for (String value : entry.getValue()) {
          List<String> next = new ArrayList<>(point);
          next.add(path + "=" + value);
          longer.add(next);
        }
      }
      points = longer;
    }
    return points;
  }

  private static JsonNode tree(Recipe recipe) {
    try {
      return new ObjectMapper(new YAMLFactory()).readTree(recipe.toYaml());
    } catch (IOException e) {
      throw new UncheckedIOException("a recipe does not read back", e);
    }
  }
}
