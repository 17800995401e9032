package org.structkd.recipe;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.Dataset;
import org.structkd.data.Split;
import org.structkd.internal.Scopes;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.Evaluation;
import org.structkd.metric.Metric;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.objective.WeightedTerm;
import org.structkd.train.Distiller;

/**
 * A recipe with all that it names: data and teachers loaded, losses wired. When it exists, both
 * networks have run on one batch, every loss has found what it reads there, and the student has
 * been evaluated on one example, so that a training fails by nothing that could have been known
 * before. Writes nothing. Owns the teachers; for one thread at a time.
 *
 * <pre>{@code
 * try (Experiment experiment = Experiment.of(Recipes.load("skd"), new Device("cpu"));
 *     TrainableNetwork student = experiment.student(1)) {
 *   experiment.distiller(experiment.objective(), 1).withCheckpoint(file).train(student);
 *   Score score = experiment.evaluation(Split.TEST).of(student, new Device("cpu"));
 * }
 * }</pre>
 */
public final class Experiment implements AutoCloseable {
  /** What the only teacher is called. */
  private static final String TEACHER = "teacher";

  /** What sentences about the student begin with. */
  private static final String STUDENT = "student";

  private final Recipe recipe;
  private final Device device;
  private final Dataset data;
  private final Metric metric;
  private final Map<String, TappedNetwork> teachers = new LinkedHashMap<>();
  private final Objective objective;

  private Experiment(Recipe recipe, Device device) throws IOException {
    this.recipe = recipe;
    this.device = Scopes.kept(new Device(device));
    data = recipe.data().load();
    metric = recipe.metric().make(data);
    long steps = recipe.train().steps();
    objective =
        new Objective(
            recipe.losses().entrySet().stream()
                .map(term -> term.getValue().weighted(term.getKey(), steps))
                .toList());
  }

  /**
   * Loads and checks everything. Of a recipe with stages see {@link Recipe#trainings}: each is an
   * experiment.
   *
   * @param recipe what to do
   * @param device where networks run
   * @return the experiment
   * @throws RecipeException if parts of the recipe do not fit together or to the networks; names
   *     both
   * @throws IOException if data or a teacher cannot be read
   */
  public static Experiment of(Recipe recipe, Device device) throws IOException {
    if (!recipe.stages().isEmpty()) {
      throw new IllegalArgumentException(
          "recipe " + recipe.name() + " has stages, expected one of its trainings()");
    }
    Experiment experiment = null;
    try (PointerScope temporaries = new PointerScope()) {
      for (TeacherSettings teacher : teachers(recipe).values()) {
        teacher.requireFile();
      }
      experiment = new Experiment(recipe, device);
      experiment.loadTeachers();
      experiment.requireFit();
      return experiment;
    } catch (RecipeException | IOException e) {
      close(experiment);
      throw e;
    } catch (UncheckedIOException e) {
      close(experiment);
      throw e.getCause();
    } catch (IllegalArgumentException e) {
      close(experiment);
      throw new RecipeException("recipe " + recipe.name(), e.getMessage(), e);
    } catch (RuntimeException | Error e) {
      close(experiment);
      throw e;
    }
  }

  private static void close(@Nullable Experiment experiment) {
    if (experiment != null) {
      experiment.close();
    }
  }

  private Batch sample() {
    try {
      return data.training(recipe.data().batch()).prepare(0).tensors();
    } catch (IllegalArgumentException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalArgumentException("data: there is no first batch: " + e.getMessage(), e);
    }
  }

  private static Map<String, TeacherSettings> teachers(Recipe recipe) {
    return recipe.teacher() == null ? recipe.teachers() : Map.of(TEACHER, recipe.teacher());
  }

  private void loadTeachers() throws IOException {
    Batch sample = sample();
    for (Map.Entry<String, TeacherSettings> teacher : teachers(recipe).entrySet()) {
      TappedNetwork network = AdaptedTeacher.load(teacher.getValue(), sample, recipe.data(), data);
      teachers.put(teacher.getKey(), network); // closed with this, whatever fails
      MatrixFactorizationSettings.requireOf(data, teacher.getKey(), network);
      network.to(device);
      teachers.put(teacher.getKey(), network.withInputs(teacher.getValue().inputs()));
    }
  }

  private void requireFit() throws IOException {
    List<String> reading =
        recipe.losses().entrySet().stream()
            .filter(term -> term.getValue().readsTeacher())
            .map(Map.Entry::getKey)
            .toList();
    if (teachers.isEmpty() && !reading.isEmpty()) {
      throw new IllegalArgumentException(
          "losses."
              + reading.get(0)
              + " reads a teacher, but there is none: add a teacher, such as {kind: bundled}");
    }
    recipe.losses().forEach((name, term) -> recipe.student().requireFit(name, term.term().loss()));
    try (TrainableNetwork student = student(0)) {
      distiller(objective, 0).requireFit(student);
    }
  }

  /** {@return what is done} */
  public Recipe recipe() {
    return recipe;
  }

  /** {@return the examples, by the seed that their source has at first} */
  public Dataset data() {
    return data;
  }

  /** {@return how students are judged} */
  public Metric metric() {
    return metric;
  }

  /**
   * {@return the teachers by name, on the device, in evaluation mode; the only one is called
   * "teacher"} They are closed with the experiment.
   */
  public Map<String, TappedNetwork> teachers() {
    return Collections.unmodifiableMap(teachers);
  }

  /**
   * {@return a new student on the device, which the caller closes}
   *
   * @param seed of its weights
   */
  public TrainableNetwork student(long seed) {
    try (PointerScope temporaries = new PointerScope()) {
      TrainableNetwork student = made(sample(), seed);
      student.to(device);
      return student;
    }
  }

  /** What a network misses in a batch does not tell which network it is. */
  private TrainableNetwork made(Batch sample, long seed) {
    try {
      return recipe.student().make(data, sample, seed);
    } catch (IllegalArgumentException e) {
      String sentence = e.getMessage();
      throw sentence.startsWith(STUDENT)
          ? e
          : new IllegalArgumentException(STUDENT + ": " + sentence, e);
    }
  }

  /** {@return all terms of the recipe} */
  public Objective objective() {
    return objective;
  }

  /**
   * {@return the terms that read no teacher, with their full weight at every step: what the same
   * student learns alone; empty if there are none, or the recipe has no teacher}
   */
  public Optional<Objective> alone() {
    List<WeightedTerm> terms =
        recipe.losses().entrySet().stream()
            .filter(term -> !term.getValue().readsTeacher())
            .map(
                term ->
                    new WeightedTerm(
                        term.getKey(), term.getValue().weight().weight(), term.getValue().term()))
            .toList();
    return terms.isEmpty() || teachers.isEmpty()
        ? Optional.empty()
        : Optional.of(new Objective(terms));
  }

  /**
   * {@return a training with data, device, teachers (where the objective reads them), optimizers
   * and validation; without checkpoint and listeners}
   *
   * @param of {@link #objective} or {@link #alone}
   * @param seed of the data's draws and of trained parts
   */
  public Distiller distiller(Objective of, long seed) {
    Dataset drawn = data.withSeed(seed);
    Distiller distiller =
        new Distiller(recipe.train(), of, drawn.training(recipe.data().batch()))
            .withDevice(device)
            .withSeed(seed);
    if (recipe.train().evaluateEvery() > 0) {
      distiller.withEvaluation(new DatasetEvaluation(drawn, Split.VALIDATION, metric));
    }
    Map<String, TermSettings> terms =
        of.terms().stream()
            .collect(Collectors.toMap(WeightedTerm::name, t -> recipe.losses().get(t.name())));
    if (terms.values().stream().anyMatch(TermSettings::readsTeacher)) {
      boolean single = recipe.teacher() != null;
      teachers.forEach((name, network) -> distiller.withTeacher(single ? "" : name, network));
      teachers(recipe)
          .forEach(
              (name, teacher) -> {
                if (teacher.cache() != null) {
                  distiller.withTeacherCache(single ? "" : name, teacher.cache());
                }
              });
    }
    terms.forEach(
        (name, term) -> {
          if (term.optimizer() != null) {
            distiller.withOptimizer(name, term.optimizer());
          }
        });
    recipe.rateFactors(recipe.losses().keySet(), terms.keySet()).forEach(distiller::withRateFactor);
    return distiller;
  }

  /**
   * {@return the evaluation on a split, always of the same examples}
   *
   * @param split validation or test
   */
  public Evaluation evaluation(Split split) {
    return new DatasetEvaluation(data, split, metric);
  }

  /** Releases the teachers. May be called twice. */
  @Override
  public void close() {
    teachers.values().forEach(TappedNetwork::close);
    teachers.clear();
  }
}
