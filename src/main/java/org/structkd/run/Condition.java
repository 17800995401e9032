package org.structkd.run;

import java.util.List;
import org.structkd.objective.Objective;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;

/**
 * What students of one kind learn, whatever their seed: one training, or several one after the
 * other.
 *
 * @param name of its files; the seed follows
 * @param stages one or more
 */
record Condition(String name, List<Stage> stages) {
  /** Name of the students that learn without a teacher. */
  static final String ALONE = "alone";

  /**
   * One training.
   *
   * @param name of its files, between those of condition and seed; empty where it is the only one
   */
  record Stage(String name, Experiment experiment, Objective objective) {}

  /** {@return the last training's, by which students are judged} */
  Experiment experiment() {
    return stages.get(stages.size() - 1).experiment();
  }

  /** {@return the objectives of all stages} */
  List<Objective> objectives() {
    return stages.stream().map(Stage::objective).toList();
  }

  /**
   * What its students depend on beside their seed: equal texts, equal students. Names and teachers
   * that no term reads are not in it.
   */
  String identity() {
    StringBuilder text =
        new StringBuilder(stages.get(0).experiment().recipe().student().toString());
    for (Stage stage : stages) {
      Recipe recipe = stage.experiment().recipe();
      text.append('\n').append(recipe.data()).append(recipe.train()).append(stage.objective());
    }
    return text.append('\n').append(experiment().metric()).toString();
  }

  /**
   * {@return whether a value of its recipe could make a difference to its students}
   *
   * @param path of the value; a loss belongs to it by its name
   */
  boolean dependsOn(String path) {
    String[] parts = path.split("\\.");
    if (parts[0].equals("losses") && parts.length > 1) {
      return objectives().stream()
          .flatMap(objective -> objective.terms().stream())
          .anyMatch(term -> term.name().equals(parts[1]));
    }
    return !parts[0].startsWith("teacher");
  }
}
