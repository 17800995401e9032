package org.structkd.recipe;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
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
      TrainingConfig train) {}

  /** {@return the recipe in YAML, complete; {@link Recipes#load} reads an equal one out of it} */
  public String toYaml() {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * {@return one recipe for each stage, in their order, without stages and with the stage's name;
   * for a recipe without stages itself}
   */
  public List<Recipe> trainings() {
    throw new UnsupportedOperationException("not written yet");
  }
}
