package org.structkd.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.structkd.recipe.Recipe;

/**
 * Makes a recipe short by its own keys, whatever its data, student and losses are: each number that
 * says how long, how often or of how many, where the recipe has it, in each of its stages.
 */
public final class ShortTraining {
  /** Steps of a training. */
  public static final long STEPS = 4;

  /** Steps between checkpoints. */
  public static final long CHECKPOINT_EVERY = 2;

  /** Relations of three images and of two halves of a batch have something to relate. */
  private static final long BATCH = 4;

  private static final long EXAMPLES = 2;

  /** Most that a number may be, by its path in a training; nothing is made larger. */
  private static final Map<String, Long> MOST =
      Map.ofEntries(
          Map.entry("data.batch", BATCH),
          Map.entry("data.validation", EXAMPLES),
          Map.entry("data.test", EXAMPLES),
          Map.entry("train.steps", STEPS),
          Map.entry("train.evaluate_every", 1L),
          Map.entry("train.checkpoint_every", CHECKPOINT_EVERY),
          Map.entry("train.schedule.warmup", 1L),
          Map.entry("train.pruning.begin", 1L),
          Map.entry("train.pruning.end", STEPS - 1),
          Map.entry("train.pruning.every", 1L),
          Map.entry("train.quantization.begin", 1L));

  private ShortTraining() {}

  /** {@return values for {@code --set} that make a recipe short} */
  public static List<String> sets(Recipe recipe) {
    List<String> sets = new ArrayList<>();
    JsonNode root = tree(recipe);
    if (recipe.stages().isEmpty()) {
      add(sets, "", root);
    }
    for (int stage = 0; stage < recipe.stages().size(); stage++) {
      add(sets, "stages." + stage + ".", root.at("/stages/" + stage));
    }
    return sets;
  }

  private static JsonNode tree(Recipe recipe) {
    try {
      return new YAMLMapper().readTree(recipe.toYaml());
    } catch (JsonProcessingException e) {
      throw new AssertionError(recipe.toYaml(), e);
    }
  }

  private static void add(List<String> sets, String where, JsonNode training) {
    MOST.forEach(
        (path, most) -> {
          JsonNode value = training.at("/" + path.replace('.', '/'));
          if (value.isNumber() && value.longValue() > most) {
            sets.add(where + path + "=" + most);
          }
        });
    sets.sort(null); // in one order, as they are printed
  }
}
