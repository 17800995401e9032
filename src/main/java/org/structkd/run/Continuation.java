package org.structkd.run;

import java.util.List;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.WeightSettings;

/** What may become of the recipe of a run that goes on. */
public final class Continuation {
  private Continuation() {}

  /**
   * Refuses what no checkpoint or log of the run could go on with.
   *
   * @param before the recipe of the run
   * @param after the recipe to go on with
   * @param changed whether more may differ than that the trainings become longer
   * @throws RunException if it may not be
   */
  public static void require(Recipe before, Recipe after, boolean changed) {
    requireSame("student", before.student(), after.student(), "its weights would not fit");
    requireSame("metric", before.metric(), after.metric(), "the log has its columns");
    List<Recipe> old = before.trainings();
    List<Recipe> longer = after.trainings();
    requireSame("stages", names(old), names(longer), "their files have these names");
    for (int i = 0; i < old.size(); i++) {
      requireSame(
          "losses",
          old.get(i).losses().keySet(),
          longer.get(i).losses().keySet(),
          "they are the columns of the log");
      requireLonger(old.get(i), longer.get(i), changed);
      if (i < old.size() - 1) {
        requireSame(
            "train.steps of the stage " + longer.get(i).name(),
            old.get(i).train().steps(),
            longer.get(i).train().steps(),
            "the stages after it begin with what it left");
      }
    }
  }

  private static List<String> names(List<Recipe> trainings) {
    return trainings.stream().map(Recipe::name).toList();
  }

  private static void requireSame(String what, Object before, Object after, String why) {
    if (!before.equals(after)) {
      throw RunException.refused(
          "%s: the run has %s, asked is %s: this cannot change in a run, %s"
              .formatted(what, before, after, why));
    }
  }

  private static void requireLonger(Recipe before, Recipe after, boolean changed) {
    long steps = after.train().steps();
    if (steps < before.train().steps()) {
      throw RunException.refused(
          "train.steps is %s but the run has %s: it may only become longer"
              .formatted(steps, before.train().steps()));
    }
    if (steps > before.train().steps() && !changed) {
      after
          .losses()
          .forEach(
              (name, term) -> {
                if (!(term.weight() instanceof WeightSettings.Constant)) {
                  throw RunException.refused(
                      "train.steps: the weight of the loss "
                          + name
                          + " depends on the number of steps, so a longer run is another one;"
                          + " --resume-changed makes it all the same");
                }
              });
    }
  }
}
