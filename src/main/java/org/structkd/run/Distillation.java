package org.structkd.run;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.TrainableNetwork;
import org.structkd.recipe.Recipe;

/**
 * Students of one recipe, alone and distilled: from the same initial weights, on the same examples,
 * with several seeds. A recipe of which no term reads a teacher has the first kind only.
 */
public final class Distillation implements RunWork {
  private final LoadedRecipe recipe;
  private final RunSettings settings;
  private final RunContext context;

  /** Loads what the run needs, and writes nothing. */
  public Distillation(RecipeSource source, RunSettings settings, RunContext context)
      throws IOException {
    this.settings = settings;
    this.context = context;
    source.load().trainings().forEach(this::requireShares);
    this.recipe = LoadedRecipe.of(source, context.device());
  }

  /** Ranks share every batch equally. */
  private void requireShares(Recipe training) {
    int batch = training.data().batch();
    int ranks = context.group().worldSize();
    if (batch % ranks != 0) {
      throw RunException.refused(
          "data.batch is %d, which %d ranks cannot share equally; expected a multiple of %d"
              .formatted(batch, ranks, ranks));
    }
  }

  /** The part of the other ranks: the same trainings, of which the first writes and tells. */
  private void trainAlong(RunFolder folder, List<Condition> conditions) throws IOException {
    TrainingRun trainings = new TrainingRun(folder, settings, context, conditions);
    for (long seed = settings.seed(); seed < settings.seed() + settings.seeds(); seed++) {
      for (Condition condition : conditions) {
        trainings.trainAlong(condition, seed);
      }
    }
  }

  @Override
  public void run(RunFolder folder) throws IOException {
    List<Condition> conditions = new ArrayList<>();
    recipe.alone(Condition.ALONE).ifPresent(conditions::add);
    recipe.distilled("distilled").ifPresent(conditions::add);
    if (!context.group().isFirst()) {
      trainAlong(folder, conditions);
      return;
    }
    Map<String, Trained> teachers = recipe.teachers(context.device());
    teachers.forEach(
        (name, teacher) -> context.out().printf("%s: %s%n", name, numbers(teacher.score())));
    TrainingRun trainings = new TrainingRun(folder, settings, context, conditions);
    Optional<SizeTable> sizes =
        recipe.compresses() ? Optional.of(sizes(teachers)) : Optional.empty();
    Map<String, List<Trained>> students = new LinkedHashMap<>();
    for (long seed = settings.seed(); seed < settings.seed() + settings.seeds(); seed++) {
      boolean isMeasured = sizes.isPresent() && seed == settings.seed();
      for (Condition condition : conditions) {
        Trained student =
            trainings.train(
                condition,
                seed,
                Split.TEST,
                (of, stage, network) -> {
                  if (isMeasured) {
                    addStage(sizes.get(), title(of) + " after " + stage, network);
                  }
                });
        context.out().printf("  %s%n", numbers(student.score()));
        context.out().flush();
        if (isMeasured) {
          sizes.get().add(title(condition), student.network(), student.score());
        }
        students.computeIfAbsent(condition.name(), name -> new ArrayList<>()).add(student);
      }
    }
    DistillReport report =
        new DistillReport(
            recipe.recipe().name(),
            settings.seed(),
            teachers,
            students.getOrDefault(Condition.ALONE, List.of()),
            students.getOrDefault("distilled", List.of()));
    context.out().printf("%n%s%n%s", report.table(), report.gain());
    if (sizes.isPresent()) {
      context.out().printf("%n%s%s%n", sizes.get(), sizes.get().explanation());
      folder.write("sizes.csv", sizes.get().csv());
    }
    SampleSheet samples = new SampleSheet(recipe.last(), context.device());
    report.write(folder, samples, sizes, settings);
    context.out().printf("pictures and report in %s%n", folder.resolve("report.html"));
    context.out().flush();
    students.values().forEach(all -> all.forEach(student -> student.network().close()));
  }

  /** How the report calls the students of a condition. */
  private String title(Condition condition) {
    return condition.name().equals(Condition.ALONE)
        ? DistillReport.ALONE
        : DistillReport.taught(recipe.recipe().name());
  }

  /** Sizes of the teachers, and of a student before its training. */
  private SizeTable sizes(Map<String, Trained> teachers) {
    SizeTable sizes = new SizeTable(recipe.last(), context.device());
    teachers.forEach((name, teacher) -> sizes.add(name, teacher.network(), teacher.score()));
    try (TrainableNetwork whole = recipe.experiments().get(0).student(settings.seed())) {
      sizes.add("student, not compressed", whole, null);
    }
    return sizes;
  }

  private void addStage(SizeTable sizes, String title, TrainableNetwork student) {
    Score score = recipe.last().evaluation(Split.TEST).of(student, context.device());
    context.out().printf("  %s: %s%n", title, numbers(score));
    sizes.add(title, student, score);
  }

  private static String numbers(Score score) {
    Score.Number leading = score.leading();
    return "%s %.4f".formatted(ScoreTable.title(leading), leading.value());
  }

  @Override
  public void close() {
    recipe.close();
  }
}
