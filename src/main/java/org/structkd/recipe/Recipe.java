package org.structkd.recipe;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.structkd.train.MetricsCsv;
import org.structkd.train.TrainingConfig;

/**
 * One training, described completely: no value is left to a default that could change.
 *
 * @param name how lists and reports call it
 * @param source where the method was published; empty if nowhere
 * @param summary one sentence about it
 * @param data what is learned from
 * @param teacher the only teacher; null where there is none, or several
 * @param teachers several, by name; a loss reads the tap {@code NAME.tap}
 * @param student what learns
 * @param losses the terms of the objective by name, in the order in which they are added
 * @param train how long and how
 * @param rateFactors factor of the learning rate of the student's parameters whose names begin so
 * @param metric how students are judged
 * @param stages trainings of one student, one after the other; empty: this recipe is the only one
 */
public record Recipe(
    String name,
    String source,
    String summary,
    DataSettings data,
    @Nullable TeacherSettings teacher,
    Map<String, TeacherSettings> teachers,
    StudentSettings student,
    Map<String, TermSettings> losses,
    TrainingConfig train,
    Map<String, Double> rateFactors,
    MetricSettings metric,
    List<Stage> stages) {
  /**
   * A training among several of one student: what differs from the recipe.
   *
   * @param name of its files
   * @param data as in the recipe
   * @param teacher as in the recipe
   * @param teachers as in the recipe
   * @param losses as in the recipe; a stage that gives losses has these alone
   * @param train as in the recipe
   */
  public record Stage(
      String name,
      DataSettings data,
      @Nullable TeacherSettings teacher,
      Map<String, TeacherSettings> teachers,
      Map<String, TermSettings> losses,
      TrainingConfig train) {
    /** Checks the name and the losses, and copies the maps. */
    public Stage {
      requireName("stage", name);
      requireTeachers(teacher, teachers);
      teachers = copied(teachers);
      losses = copied(losses);
      requireLosses(losses);
    }
  }

  /** What the names of parameters that a loss trains begin with, before that of the term. */
  private static final String PART = "part.";

  /** What terms, teachers and stages may be called: options, files and columns have these names. */
  private static final String NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,63}";

  /**
   * Checks names and that there is a loss, and copies maps and lists.
   *
   * @throws IllegalArgumentException if a name has other signs than letters, digits, _ and - or is
   *     longer than 64, a term has the name of another column of the log, there are both {@code
   *     teacher} and {@code teachers}, or there is no loss
   */
  public Recipe {
    requireName("recipe", name);
    requireTeachers(teacher, teachers);
    teachers = copied(teachers);
    losses = copied(losses);
    rateFactors = copied(rateFactors);
    stages = List.copyOf(stages);
    requireLosses(losses);
    Set<String> names = new HashSet<>();
    for (Stage stage : stages) {
      if (!names.add(stage.name())) {
        throw new IllegalArgumentException(
            "two stages have the name " + stage.name() + ", expected different names");
      }
    }
  }

  private static void requireName(String what, String name) {
    if (!name.matches(NAME)) {
      throw new IllegalArgumentException(
          ("a %s is called %s, expected 1 to 64 letters, digits, _ and -, the first"
                  + " a letter or digit")
              .formatted(what, RecipeTree.shown(TextNode.valueOf(name))));
    }
  }

  private static void requireTeachers(
      @Nullable TeacherSettings teacher, Map<String, TeacherSettings> teachers) {
    teachers.keySet().forEach(name -> requireName("teacher", name));
    if (teacher != null && !teachers.isEmpty()) {
      throw new IllegalArgumentException(
          "teacher and teachers are both given, expected one: a teacher, or several by name");
    }
  }

  private static void requireLosses(Map<String, TermSettings> losses) {
    for (String name : losses.keySet()) {
      requireName("term", name);
      MetricsCsv.requireTerm(name);
    }
    if (losses.isEmpty()) {
      throw new IllegalArgumentException("losses is empty, expected at least one");
    }
  }

  /** The rate factors without those of what the losses of terms train that are not among some. */
  Map<String, Double> rateFactors(Set<String> terms, Set<String> some) {
    Map<String, Double> factors = new LinkedHashMap<>(rateFactors);
    for (String term : terms) {
      if (!some.contains(term)) {
        factors.keySet().removeIf(parameter -> parameter.startsWith(PART + term + "."));
      }
    }
    return factors;
  }

  /** A copy that keeps the order, as recipes are printed in it. */
  static <T> Map<String, T> copied(Map<String, T> map) {
    return Collections.unmodifiableMap(new LinkedHashMap<>(map));
  }

  /** {@return the recipe in YAML, complete; {@link Recipes#load} reads an equal one out of it} */
  public String toYaml() {
    ObjectNode tree = RecipeBinding.tree(this);
    tree.properties().removeIf(entry -> TextNode.valueOf("").equals(entry.getValue()));
    return YamlText.block(tree);
  }

  /**
   * {@return one recipe for each stage, in their order, without stages and with the stage's name;
   * for a recipe without stages itself}
   */
  public List<Recipe> trainings() {
    if (stages.isEmpty()) {
      return List.of(this);
    }
    Set<String> terms = new HashSet<>();
    stages.forEach(stage -> terms.addAll(stage.losses().keySet()));
    return stages.stream()
        .map(
            stage ->
                new Recipe(
                    stage.name(),
                    source,
                    summary,
                    stage.data(),
                    stage.teacher(),
                    stage.teachers(),
                    student,
                    stage.losses(),
                    stage.train(),
                    rateFactors(terms, stage.losses().keySet()),
                    metric,
                    List.of()))
        .toList();
  }
}
