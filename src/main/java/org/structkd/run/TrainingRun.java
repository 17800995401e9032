package org.structkd.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.structkd.compress.Pruning;
import org.structkd.compress.Shrinking;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.ShrinkableNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.train.AtomicFile;
import org.structkd.train.Distiller;
import org.structkd.train.MetricsCsv;
import org.structkd.train.TensorBoardEvents;
import org.structkd.train.TrainingOutcome;

/**
 * Trains the students of one run folder. A training that was done before returns at once with what
 * it left, one that was interrupted continues; so a run resumes by doing everything again.
 */
final class TrainingRun {
  /** Name of the log in a run folder. */
  static final String METRICS = "metrics.csv";

  /** Folder in a run folder with one for each training, which TensorBoard shows. */
  private static final String TENSORBOARD = "tensorboard";

  private final RunFolder folder;
  private final RunContext context;
  private final @Nullable MetricsCsv metrics; // of the first rank
  private final boolean tensorboard;

  /**
   * Makes the log, or goes on with the one that is there.
   *
   * @param settings of the run
   * @param conditions of all trainings that there will be
   */
  TrainingRun(
      RunFolder folder, RunSettings settings, RunContext context, Collection<Condition> conditions)
      throws IOException {
    this.folder = folder;
    this.context = context;
    tensorboard = settings.tensorboard();
    List<Objective> objectives = new ArrayList<>();
    String leading = conditions.iterator().next().experiment().metric().leading();
    conditions.forEach(condition -> objectives.addAll(condition.objectives()));
    metrics =
        context.group().isFirst()
            ? MetricsCsv.open(
                folder.resolve(METRICS), leading, objectives.toArray(new Objective[0]))
            : null;
  }

  /** Is told when a stage ends that is not the last one of a student. */
  interface StageEnd {
    /**
     * A stage has ended.
     *
     * @param condition of the student
     * @param stage its name
     * @param student as the next stage begins with it
     */
    void ended(Condition condition, String stage, TrainableNetwork student);
  }

  /** As {@link #train(Condition, long, Split, StageEnd)}, without looking at stages. */
  Trained train(Condition condition, long seed, Split split) throws IOException {
    return train(condition, seed, split, (of, stage, student) -> {});
  }

  /**
   * Trains one student and scores it; leaves CONDITION-SEED.safetensors and a checkpoint of each
   * stage in the folder. A stage that prunes channels ends with the student without them, which the
   * next stage trains; its checkpoints are those of the whole student.
   *
   * @param split whose score is wanted
   * @param between is told what lies between two stages
   * @return the student, which the caller closes
   */
  Trained train(Condition condition, long seed, Split split, StageEnd between) throws IOException {
    Learnt learnt = train(condition, seed, between);
    TrainableNetwork student = learnt.student;
    Score score = condition.experiment().evaluation(split).of(student, context.device());
    String name = condition.name() + "-" + seed;
    save(name, student, condition.experiment().recipe(), seed);
    if (context.stop().isRequested() && context.group().worldSize() == 1) {
      throw new RunWork.Stopped(); // between two trainings; ranks agree on it in the next one
    }
    return new Trained(student, score, learnt.millisPerStep);
  }

  /** Does the part of a rank that is not the first: trains along, and leaves nothing. */
  void trainAlong(Condition condition, long seed) throws IOException {
    train(condition, seed, (of, stage, student) -> {}).student.close();
  }

  /**
   * A student at the end of its stages.
   *
   * @param millisPerStep time of a step, NaN if none was timed here
   */
  private record Learnt(TrainableNetwork student, double millisPerStep) {}

  private Learnt train(Condition condition, long seed, StageEnd between) throws IOException {
    TrainableNetwork student = condition.stages().get(0).experiment().student(seed);
    long steps = 0;
    double nanos = 0;
    for (Condition.Stage stage : condition.stages()) {
      TrainingOutcome outcome = train(condition.name(), stage, seed, student);
      steps += outcome.timedSteps();
      nanos += outcome.stepNanos();
      if (stage.experiment().recipe().train().pruning() instanceof Pruning.Channels) {
        student = shrunk((ShrinkableNetwork) student); // after the stage's last checkpoint
      }
      if (stage.experiment() != condition.experiment()) {
        between.ended(condition, stage.name(), student);
      }
    }
    return new Learnt(student, steps == 0 ? Double.NaN : nanos / 1e6 / steps);
  }

  private static TrainableNetwork shrunk(ShrinkableNetwork student) {
    try (student) {
      return Shrinking.shrunk(student);
    }
  }

  private TrainingOutcome train(
      String condition, Condition.Stage stage, long seed, TrainableNetwork student)
      throws IOException {
    String name = condition + (stage.name().isEmpty() ? "" : "-" + stage.name()) + "-" + seed;
    Recipe recipe = stage.experiment().recipe();
    Distiller distiller =
        stage
            .experiment()
            .distiller(stage.objective(), seed)
            .withDescription("seed " + seed + ", " + recipe.data())
            .withCheckpoint(folder.resolve(name + ".checkpoint"))
            .withResume(context.resume())
            .withStop(context.stop())
            .withProcessGroup(context.group());
    if (metrics != null) {
      distiller.withListener(metrics.listener(name)).withListener(context.progress().apply(name));
      if (tensorboard) {
        distiller.withListener(TensorBoardEvents.in(folder.resolve(TENSORBOARD).resolve(name)));
      }
    }
    try {
      TrainingOutcome outcome = distiller.train(student);
      if (!outcome.complete()) {
        throw new RunWork.Stopped();
      }
      return outcome;
    } catch (IllegalArgumentException e) { // settings that teach nothing, told by the first step
      throw RunException.refused(name + ": " + e.getMessage());
    } catch (DivergedException e) {
      throw RunException.failed(name + ": " + e.getMessage());
    }
  }

  private void save(String name, TrainableNetwork student, Recipe recipe, long seed)
      throws IOException {
    Path file = folder.resolve(name + ".safetensors");
    Map<String, String> properties = new LinkedHashMap<>(); // in one order, for equal bytes
    properties.put(Recipes.PROPERTY, recipe.toYaml());
    properties.put("seed", Long.toString(seed));
    TensorFile weights = student.toFile(properties);
    AtomicFile.write(file, weights::write);
  }
}
