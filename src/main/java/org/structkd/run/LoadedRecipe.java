package org.structkd.run;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.bytedeco.pytorch.Device;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.Split;
import org.structkd.metric.Evaluation;
import org.structkd.model.TappedNetwork;
import org.structkd.objective.Objective;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;

/**
 * A recipe with everything that it names.
 *
 * @param recipe as it was given
 * @param experiments one for each of its trainings, in their order
 */
record LoadedRecipe(Recipe recipe, List<Experiment> experiments) implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LoadedRecipe.class);

  static LoadedRecipe of(RecipeSource source, Device device) throws IOException {
    Recipe recipe = source.load();
    LoadedRecipe loaded = new LoadedRecipe(recipe, new ArrayList<>());
    try {
      for (Recipe training : recipe.trainings()) {
        loaded.experiments.add(source.open(training, device));
      }
      return loaded;
    } catch (IOException | RuntimeException e) {
      loaded.close();
      throw e;
    }
  }

  /** The last training's, by which students are judged. */
  Experiment last() {
    return experiments.get(experiments.size() - 1);
  }

  /** {@return whether a training of it makes the student smaller} */
  boolean compresses() {
    return experiments.stream()
        .anyMatch(experiment -> experiment.recipe().train().pruning() != null);
  }

  /** {@return the condition of the recipe, if a term of it reads a teacher} */
  Optional<Condition> distilled(String name) {
    return experiments.stream().anyMatch(LoadedRecipe::readsTeacher)
        ? condition(name, experiment -> Optional.of(experiment.objective()))
        : Optional.empty();
  }

  /** {@return the condition without the teacher; empty where no term is left} */
  Optional<Condition> alone(String name) {
    return condition(
        name,
        experiment ->
            readsTeacher(experiment) ? experiment.alone() : Optional.of(experiment.objective()));
  }

  private static boolean readsTeacher(Experiment experiment) {
    return !experiment.objective().taps().teacher().isEmpty();
  }

  private Optional<Condition> condition(
      String name, Function<Experiment, Optional<Objective>> objectiveOf) {
    List<Condition.Stage> stages = new ArrayList<>();
    for (Experiment experiment : experiments) {
      String stage = experiments.size() == 1 ? "" : experiment.recipe().name();
      objectiveOf
          .apply(experiment)
          .ifPresent(objective -> stages.add(new Condition.Stage(stage, experiment, objective)));
    }
    return stages.isEmpty() ? Optional.empty() : Optional.of(new Condition(name, stages));
  }

  /**
   * Its teachers by name, as far as they give what the metric reads, with their test scores. One
   * that answers in another size or in other classes teaches all the same.
   */
  Map<String, Trained> teachers(Device device) {
    Evaluation test = last().evaluation(Split.TEST);
    Map<String, Trained> judged = new LinkedHashMap<>();
    for (Experiment experiment : experiments) {
      experiment
          .teachers()
          .forEach(
              (name, network) -> {
                if (network.taps().containsAll(last().metric().taps())
                    && !judged.containsKey(name)
                    && isJudged(name, network, test, device)) {
                  judged.put(name, new Trained(network, test.of(network, device), Double.NaN));
                }
              });
    }
    return judged;
  }

  private static boolean isJudged(
      String name, TappedNetwork network, Evaluation test, Device device) {
    try {
      test.requireFit(network, device);
      return true;
    } catch (IllegalArgumentException e) {
      LOG.warn("{} is not judged: {}", name, e.getMessage());
      return false;
    }
  }

  @Override
  public void close() {
    experiments.forEach(Experiment::close);
  }
}
