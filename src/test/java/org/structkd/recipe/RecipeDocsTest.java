package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.compress.Pruning;
import org.structkd.compress.Quantization;
import org.structkd.optim.Optimizer;
import org.structkd.optim.Schedule;
import org.structkd.train.TrainingConfig;

/** docs/recipes.md has every recipe, every kind and every key with its default. */
class RecipeDocsTest {
  /** The choices by the word of the docs. */
  private static final Map<String, Class<?>> CHOICES =
      Map.of(
          "data", DataSettings.class,
          "teacher", TeacherSettings.class,
          "student", StudentSettings.class,
          "metric", MetricSettings.class,
          "optimizer", Optimizer.class,
          "schedule", Schedule.class,
          "pruning", Pruning.class,
          "quantization", Quantization.class,
          "weight", WeightSettings.class);

  /** Any values of keys that shorter constructors need. */
  private static final String NEEDED =
      "{rate: 1, momentum: 0.5, weight: 1, steps: 1, every: 1, factor: 0.5, at: [1],"
          + " target: 0.5, begin: 0, end: 1, directory: /data, layout: camvid, task: cifar10}";

  @TempDir private Path temp;

  static List<String> lines() throws IOException {
    return Files.readAllLines(Path.of("docs/recipes.md"));
  }

  static List<String> recipes() {
    return Recipes.names();
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void everyRecipeHasARow(String name) throws IOException {
    assertEquals(1, lines().stream().filter(line -> line.startsWith("| `" + name + "` |")).count());
  }

  @ParameterizedTest
  @ValueSource(classes = {Recipe.class, TrainingConfig.class})
  void everyKeyHasARow(Class<?> type) throws IOException {
    for (String key : RecipeBinding.keys(type)) {
      assertTrue(lines().stream().anyMatch(line -> line.startsWith("| `" + key + "` |")), key);
    }
  }

  @Test
  void everyKeyOfALossHasARow() throws IOException {
    for (String key : TermBinding.KEYS) {
      assertTrue(lines().stream().anyMatch(line -> line.startsWith("| `" + key + "` |")), key);
    }
  }

  @Test
  void everyKindHasARowWithItsKeysAndDefaults() throws IOException {
    for (Map.Entry<String, Class<?>> choice : CHOICES.entrySet()) {
      for (Class<?> kind : choice.getValue().getPermittedSubclasses()) {
        String begin = "| %s | `%s` |".formatted(choice.getKey(), RecordIntrospector.kind(kind));
        String row =
            lines().stream()
                .filter(line -> line.startsWith(begin))
                .findFirst()
                .orElse("no " + begin);
        ObjectNode needed = new RecipeTree("needed", NEEDED).root();
        needed.retain(RecipeBinding.keys(kind));
        if (!RecipeBinding.completed(kind, needed.objectNode()).isEmpty()) {
          needed.removeAll(); // all keys have defaults
        }
        ObjectNode all = RecipeBinding.completed(kind, needed);
        for (String key : RecipeBinding.keys(kind)) {
          JsonNode value = needed.has(key) || !all.has(key) ? null : all.get(key);
          String wanted = "`" + key + "`" + (value == null ? "" : " " + YamlText.flow(value));
          assertTrue(row.contains(wanted), () -> wanted + " is not in: " + row);
        }
      }
    }
  }

  static List<String> examples() throws IOException {
    return Stream.of(String.join("\n", lines()).split("```yaml\n"))
        .skip(1)
        .map(text -> text.substring(0, text.indexOf("```")))
        .toList();
  }

  private Recipe loaded(String yaml) throws IOException {
    return Recipes.load(Files.writeString(temp.resolve("example.yaml"), yaml).toString());
  }

  /** The example is the recipe that it claims to be. */
  @Test
  void theExampleIsSkd() throws IOException {
    assertEquals(Recipes.load("skd"), loaded(examples().get(0)));
  }

  @Test
  void theStagesThatAreAddedToItPruneAndTune() throws IOException {
    String stages =
        examples().stream()
            .filter(text -> text.contains("kind: channels"))
            .findFirst()
            .orElseThrow();
    List<Recipe> trainings = loaded(examples().get(0) + stages).trainings();
    assertEquals(List.of("pruned", "tuned"), trainings.stream().map(Recipe::name).toList());
    assertEquals(
        new Pruning.Channels(0.5, 200, 700, 0, 50, 3, List.of()),
        trainings.get(0).train().pruning());
    assertEquals(1000, trainings.get(0).train().steps());
    assertNull(trainings.get(1).train().pruning());
  }
}
