package org.structkd.recipe;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.structkd.internal.ResourceFolder;
import org.structkd.internal.Words;
import org.structkd.loss.Losses;
import org.structkd.model.TensorFile;
import org.structkd.train.TrainingConfig;

/**
 * The recipes that come with this library, and those in files of users. Each of ours is a file in
 * the resource folder {@code org/structkd/recipe/recipes}, whose name is that of the recipe.
 */
public final class Recipes {
  /** What files of weights call the recipe that they hold. */
  public static final String PROPERTY = "recipe";

  private static final String FOLDER = "recipes/";
  private static final String SUFFIX = ".yaml";

  /** Larger files are no recipes, and would be parsed for long. */
  private static final long MOST_BYTES = 1 << 20;

  /** Where a training is evaluated: ten points make a curve. */
  private static final int EVALUATIONS = 10;

  /** An evaluation costs as much as some steps. */
  private static final int LEAST_STEPS_BETWEEN_EVALUATIONS = 10;

  /** Steps between checkpoints: each takes milliseconds. */
  private static final int CHECKPOINT_EVERY = 100;

  private static final String TRAIN = "train";

  /** Of a training: what it prunes, by these kinds among others. */
  private static final String PRUNING = "pruning";

  private static final String MAGNITUDE = "magnitude";
  private static final String KEPT = "kept";

  /** Names of earlier versions, and what they are called now, beside those of losses. */
  private static final Map<String, String> RENAMED =
      Map.of("fashion_teacher", "fashion-teacher", "ratings_teacher", "ratings-teacher");

  private Recipes() {}

  /** {@return the names of the recipes that come with this library, sorted} */
  public static List<String> names() {
    return ResourceFolder.files(Recipes.class, FOLDER).stream()
        .filter(file -> file.endsWith(SUFFIX))
        .map(file -> file.substring(0, file.length() - SUFFIX.length()))
        .sorted()
        .toList();
  }

  /** {@return the recipe of this name or file as it is, see {@link #load(String, List, List)}} */
  public static Recipe load(String nameOrFile) {
    return load(nameOrFile, List.of(), List.of());
  }

  /**
   * Reads a recipe and fills in all defaults. Nothing but the recipe's own file is looked at: data
   * and teachers are those of {@link Experiment}.
   *
   * @param nameOrFile one of {@link #names}, or a YAML file
   * @param sets values that take the place of those in the file, {@code path=value}, such as {@code
   *     losses.pairwise.weight=1}; the value is YAML; {@code null} takes away what the file gives
   * @param losses terms to add, {@code ID=WEIGHT} or {@code ID:PRESET=WEIGHT}, such as {@code
   *     pairwise:cirkd=0.5}; named by the id, each role played by the tap of its name
   * @return the recipe
   * @throws RecipeException if the recipe is missing or makes no sense; says where and why
   */
  public static Recipe load(String nameOrFile, List<String> sets, List<String> losses) {
    Recipe recipe = bound(nameOrFile, sets, losses);
    if (!recipe.stages().isEmpty()) {
      for (String set : sets) {
        requireEffect("--set " + set, recipe, nameOrFile, without(sets, set), losses);
      }
      for (String loss : losses) {
        requireEffect("--loss " + loss, recipe, nameOrFile, sets, without(losses, loss));
      }
    }
    return recipe;
  }

  /**
   * {@return the recipe by which a run trained the network of a file; empty where the file tells
   * none}
   *
   * @param file of weights, whose property {@value #PROPERTY} is what {@link Recipe#toYaml} made
   * @throws RecipeException if it makes no sense; says where and why
   */
  public static Optional<Recipe> of(TensorFile file) {
    return Optional.ofNullable(file.properties().get(PROPERTY))
        .map(
            yaml -> {
              RecipeTree tree = new RecipeTree(file.source() + ", its recipe", yaml);
              complete(tree.root());
              return RecipeBinding.bind(tree, Recipe.class);
            });
  }

  private static List<String> without(List<String> options, String option) {
    return options.stream().filter(other -> !other.equals(option)).toList();
  }

  /** Where every stage has its own value, another one above them changes no training. */
  private static void requireEffect(
      String option, Recipe with, String nameOrFile, List<String> sets, List<String> losses) {
    Recipe without;
    try {
      without = bound(nameOrFile, sets, losses);
    } catch (RecipeException e) {
      return; // it is needed
    }
    if (!with.equals(without)
        && with.name().equals(without.name())
        && with.trainings().equals(without.trainings())) {
      throw new RecipeException(
          option, "has no effect, as each stage has its own: --set stages.0... changes it", null);
    }
  }

  private static Recipe bound(String nameOrFile, List<String> sets, List<String> losses) {
    return RecipeBinding.bind(completed(nameOrFile, sets, losses), Recipe.class);
  }

  private static RecipeTree completed(String nameOrFile, List<String> sets, List<String> losses) {
    RecipeTree tree = tree(nameOrFile);
    losses.forEach(loss -> add(tree, loss));
    sets.forEach(tree::set);
    complete(tree.root());
    return tree;
  }

  /**
   * {@return an error of {@link Experiment#of} with the line or option that gave the value, where
   * it tells what it is about}
   *
   * @param e the error
   * @param training name of the training that failed
   * @param nameOrFile as it was given to {@link #load(String, List, List)}
   * @param sets as given there
   * @param losses as given there
   */
  public static RecipeException placed(
      RecipeException e,
      String training,
      String nameOrFile,
      List<String> sets,
      List<String> losses) {
    return TrialError.placed(completed(nameOrFile, sets, losses), training, e);
  }

  private static RecipeTree tree(String nameOrFile) {
    if (names().contains(nameOrFile)) {
      return new RecipeTree("recipe " + nameOrFile, resource(nameOrFile));
    }
    Path file = Path.of(nameOrFile);
    Optional<String> now =
        Optional.ofNullable(RENAMED.get(nameOrFile))
            .or(() -> Losses.renamed(nameOrFile).filter(names()::contains));
    if (now.isPresent()) {
      throw new RecipeException("recipe " + nameOrFile, "is called " + now.get() + " now", null);
    }
    if (!Files.isRegularFile(file)) {
      throw new RecipeException(
          "recipe " + nameOrFile,
          (Files.exists(file) ? "is no file" : "is not there")
              + ", expected a YAML file or one of "
              + Words.listNearest(nameOrFile, names()),
          null);
    }
    try {
      if (Files.size(file) > MOST_BYTES) {
        throw new RecipeException(
            nameOrFile, "has " + Files.size(file) + " bytes, expected at most " + MOST_BYTES, null);
      }
      RecipeTree tree = new RecipeTree(nameOrFile, Files.readString(file));
      String name = file.getFileName().toString().replaceFirst("\\.[^.]*$", "");
      name = name.replaceAll("[^A-Za-z0-9_-]", "_");
      putIfAbsent(tree.root(), "name", JsonNodeFactory.instance.textNode(name));
      return tree;
    } catch (CharacterCodingException e) {
      throw new RecipeException(nameOrFile, "is no text in UTF-8", e);
    } catch (IOException e) {
      throw new RecipeException(nameOrFile, "cannot be read: " + e.getMessage(), e);
    }
  }

  private static String resource(String name) {
    try (InputStream in = Recipes.class.getResourceAsStream(FOLDER + name + SUFFIX)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("the recipe " + name + " cannot be read: broken jar?", e);
    }
  }

  /** Adds the term of an option. */
  private static void add(RecipeTree tree, String loss) {
    String place = "--loss " + loss;
    int equals = loss.lastIndexOf('=');
    if (equals < 1 || loss.startsWith(":")) {
      throw new RecipeException(
          place, "expected ID=WEIGHT or ID:PRESET=WEIGHT, such as pairwise:cirkd=0.5", null);
    }
    String[] idAndPreset = loss.substring(0, equals).split(":", 2);
    String id = idAndPreset[0];
    List<String> path = List.of("losses", id);
    if (!tree.at(path).isMissingNode()) {
      throw new RecipeException(
          place,
          "the recipe has a term " + id + ": --set losses." + id + ".weight=... changes it",
          null);
    }
    tree.set(child(path, TermBinding.LOSS), id, place);
    if (idAndPreset.length > 1) {
      tree.set(child(path, TermBinding.PRESET), idAndPreset[1], place);
    }
    tree.set(child(path, TermBinding.WEIGHT), loss.substring(equals + 1), place);
  }

  private static List<String> child(List<String> path, String key) {
    return List.of(path.get(0), path.get(1), key);
  }

  /** Fills in what depends on other values of the recipe. */
  private static void complete(ObjectNode root) {
    putIfAbsent(root, "source", JsonNodeFactory.instance.textNode(""));
    putIfAbsent(root, "summary", JsonNodeFactory.instance.textNode(""));
    boolean isFirst = true;
    boolean zeros = false;
    for (JsonNode stage : root.path("stages")) {
      if (stage instanceof ObjectNode map) {
        boolean prunes = map.path(TRAIN).has(PRUNING);
        inherit(isFirst || prunes ? root : afterPruning(root, zeros), map);
        String kind = map.path(TRAIN).path(PRUNING).path(RecipeBinding.KIND).asText();
        zeros |= kind.equals(MAGNITUDE) || kind.equals(KEPT);
        isFirst = false;
      }
    }
    train(root);
  }

  /**
   * What the stages after the first inherit: what has been pruned stays so and is not pruned again.
   * Weights stay 0; channels are gone, so that nothing is left to prune.
   *
   * @param zeros whether a stage before has pruned weights
   */
  private static ObjectNode afterPruning(ObjectNode root, boolean zeros) {
    ObjectNode base = root.deepCopy();
    if (base.get(TRAIN) instanceof ObjectNode train) {
      train.remove(PRUNING);
      if (zeros) {
        train.putObject(PRUNING).put(RecipeBinding.KIND, KEPT);
      }
    }
    return base;
  }

  private static void putIfAbsent(ObjectNode map, String key, JsonNode value) {
    if (!map.has(key)) {
      map.set(key, value);
    }
  }

  /** What a stage does not say is as in the recipe, here as {@link #afterPruning} has it. */
  private static void inherit(ObjectNode root, ObjectNode stage) {
    if (!stage.has("teacher") && !stage.has("teachers")) {
      take(root, stage, "teacher");
      take(root, stage, "teachers");
    }
    if (stage.get("losses") instanceof ObjectNode own) {
      for (Map.Entry<String, JsonNode> term : own.properties()) {
        if (term.getValue() instanceof ObjectNode given
            && !given.has(TermBinding.LOSS)
            && root.path("losses").path(term.getKey()) instanceof ObjectNode base) {
          term.setValue(RecipeTree.merged(base, given));
        }
      }
    } else {
      take(root, stage, "losses");
    }
    for (String key : List.of("data", TRAIN)) {
      if (root.get(key) instanceof ObjectNode base && stage.path(key) instanceof ObjectNode given) {
        stage.set(key, RecipeTree.merged(base, given));
      } else {
        take(root, stage, key);
      }
    }
    train(stage);
  }

  private static void take(ObjectNode root, ObjectNode stage, String key) {
    if (root.has(key)) {
      putIfAbsent(stage, key, root.get(key).deepCopy());
    }
  }

  /** Defaults of a training: how often it is looked at depends on how long it is. */
  private static void train(ObjectNode of) {
    if (of.get(TRAIN) instanceof ObjectNode given) {
      long steps = Math.max(1, given.path("steps").longValue());
      ObjectNode base =
          RecipeBinding.tree(
              TrainingConfig.of(steps, 1)
                  .withEvaluateEvery(Math.max(LEAST_STEPS_BETWEEN_EVALUATIONS, steps / EVALUATIONS))
                  .withCheckpointEvery(CHECKPOINT_EVERY));
      base.remove(List.of("steps", "optimizer")); // which must be given
      of.set(TRAIN, RecipeTree.merged(base, given));
    }
  }
}
