package org.structkd.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Split;
import org.structkd.metric.Score;

/**
 * Several recipes, and what each is without its teacher, under equal seeds. What is searched is
 * chosen first, on validation examples with seeds of its own; then all are trained with the seeds
 * of the run and scored on test examples.
 */
public final class Comparison implements RunWork {
  /** Seeds of the search. */
  private static final int SEARCH_SEEDS = 2;

  private final RunSettings settings;
  private final RunContext context;
  private final @Nullable Path document;
  private final List<Contestant> contestants = new ArrayList<>();
  private final List<Condition> conditions = new ArrayList<>();
  private final List<LoadedRecipe> loaded = new ArrayList<>();
  private int done;

  /**
   * Loads and checks everything, and writes nothing.
   *
   * @param sources of the recipes, each of another name
   * @param settings of the run
   * @param document Markdown file to write, with its picture beside it; null: comparison.md in the
   *     run folder
   * @param context what is around
   * @throws RunException if a value is searched that no recipe has
   */
  public Comparison(
      List<RecipeSource> sources, RunSettings settings, @Nullable Path document, RunContext context)
      throws IOException {
    this.settings = settings;
    this.context = context.quiet();
    this.document = document;
    try {
      Map<String, Contestant> alone = new LinkedHashMap<>();
      for (RecipeSource source : sources) {
        enter(source, alone);
      }
      requireSearchable();
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * {@return where the picture of a document or table is: beside it, of the same name with the
   * ending png}
   *
   * @param document the file
   */
  public static Path pictureOf(Path document) {
    String name = document.getFileName().toString().replaceFirst("(?<=.)\\.[^.]*$", "");
    return document.resolveSibling(name + ".png");
  }

  /**
   * Adds a recipe, and before it what it is alone.
   *
   * @param alone those that were there before, by what they learn: two recipes may have the same
   */
  private void enter(RecipeSource source, Map<String, Contestant> alone) throws IOException {
    LoadedRecipe recipe = LoadedRecipe.of(source, context.device());
    loaded.add(recipe);
    String name = recipe.recipe().name();
    requireSameMetric(loaded.get(0), recipe);
    Optional<Condition> distilled = recipe.distilled(name);
    Optional<Condition> without = recipe.alone(Condition.ALONE);
    Contestant baseline = null;
    if (without.isPresent()) {
      Condition condition = without.get();
      conditions.add(condition);
      baseline = alone.get(condition.identity());
      if (baseline == null && distilled.isPresent()) {
        String aloneName = alone.isEmpty() ? Condition.ALONE : Condition.ALONE + "-" + name;
        baseline =
            Contestant.alone(
                aloneName,
                source,
                Search.grid(settings.search(), recipe.recipe(), condition::dependsOn));
        alone.put(condition.identity(), baseline);
        contestants.add(baseline);
      }
    }
    distilled.ifPresent(conditions::add);
    if (baseline == null && !contestants.isEmpty()) {
      baseline = contestants.get(0); // nothing else to compare with
    }
    contestants.add(
        Contestant.of(
            name, source, baseline, Search.grid(settings.search(), recipe.recipe(), path -> true)));
  }

  /** One table has the numbers of one metric. */
  private static void requireSameMetric(LoadedRecipe first, LoadedRecipe other) {
    String one = first.last().metric().leading();
    String another = other.last().metric().leading();
    if (!one.equals(another)) {
      throw RunException.refused(
          "%s is judged by %s, but %s by %s: recipes of one metric can be compared"
              .formatted(first.recipe().name(), one, other.recipe().name(), another));
    }
  }

  /** Every path must be one of some recipe. */
  private void requireSearchable() {
    Set<String> found = new HashSet<>();
    for (Contestant contestant : contestants) {
      for (List<String> values : contestant.grid) {
        values.forEach(value -> found.add(value.substring(0, value.indexOf('='))));
      }
    }
    for (String path : settings.search().keySet()) {
      if (found.stream().noneMatch(value -> value.startsWith(path))) {
        throw RunException.refused(
            ("--search: none of the recipes %s has the value %s; recipes show NAME"
                    + " lists what a recipe has")
                .formatted(String.join(", ", settings.recipes()), path));
      }
    }
  }

  @Override
  public void run(RunFolder folder) throws IOException {
    TrainingRun trainings = new TrainingRun(folder, settings, context, conditions);
    Map<String, Trained> teachers = loaded.get(0).teachers(context.device());
    if (!settings.search().isEmpty()) {
      search(trainings);
    }
    List<Condition> chosen = new ArrayList<>();
    for (Contestant contestant : contestants) {
      LoadedRecipe recipe = contestant.load(contestant.chosen(), context.device());
      loaded.add(recipe);
      chosen.add(contestant.condition(recipe, contestant.name));
    }
    for (long seed = settings.seed(); seed < settings.seed() + settings.seeds(); seed++) {
      for (int i = 0; i < chosen.size(); i++) {
        contestants.get(i).scores.add(score(trainings, chosen.get(i), seed, Split.TEST));
      }
    }
    List<StepCost> costs =
        context.device().is_cpu()
            ? StepCost.measure(chosen, folder.resolve("step-cost.checkpoint"))
            : List.of();
    new ComparisonReport(settings, contestants, teachers, costs).write(folder, document);
    context
        .out()
        .printf("%s written%n", document == null ? folder.resolve("comparison.md") : document);
    context.out().flush();
  }

  /** Seeds of their own, so that nothing is chosen by what the comparison shows. */
  private void search(TrainingRun trainings) throws IOException {
    long first = settings.firstSearchSeed();
    for (Contestant contestant : contestants) {
      int point = 0;
      for (List<String> values : contestant.grid) {
        point++;
        List<Score> scores = new ArrayList<>();
        try (LoadedRecipe recipe = contestant.load(values, context.device())) {
          String files = "search-" + contestant.name + "-" + point;
          Condition condition = contestant.condition(recipe, files);
          for (long seed = first; seed < first + SEARCH_SEEDS; seed++) {
            scores.add(score(trainings, condition, seed, Split.VALIDATION));
          }
        }
        contestant.searched.put(values, scores);
      }
    }
  }

  private Score score(TrainingRun trainings, Condition condition, long seed, Split split)
      throws IOException {
    Trained student = trainings.train(condition, seed, split);
    student.network().close();
    done++;
    Score.Number leading = student.score().leading();
    context
        .out()
        .printf(
            "%3d/%d  %-32s %s %s %.4f%n",
            done,
            trainings(),
            condition.name() + "-" + seed,
            split,
            leading.title(),
            leading.value());
    context.out().flush();
    return student.score();
  }

  private int trainings() {
    int search =
        settings.search().isEmpty()
            ? 0
            : contestants.stream().mapToInt(contestant -> contestant.grid.size()).sum();
    return search * SEARCH_SEEDS + contestants.size() * settings.seeds();
  }

  @Override
  public void close() {
    loaded.forEach(LoadedRecipe::close);
  }
}
