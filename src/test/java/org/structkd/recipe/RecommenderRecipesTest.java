package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.StepLoss;
import org.structkd.train.AtomicFile;
import org.structkd.train.TrainingListener;

/** Recipes of recommenders: that they learn, and what does not fit together. */
class RecommenderRecipesTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path temp;

  static List<String> names() {
    return Recipes.names().stream().filter(name -> name.startsWith("recsys-")).toList();
  }

  @Test
  void thereAreSeven() {
    assertEquals(
        List.of(
            "recsys-bd",
            "recsys-de",
            "recsys-ftd",
            "recsys-htd",
            "recsys-rating",
            "recsys-rd",
            "recsys-rrd"),
        names().stream().filter(name -> !name.equals("recsys-teacher")).sorted().toList());
  }

  /** Means of the first and of the last ten steps. */
  @ParameterizedTest
  @MethodSource("names")
  void theLossIsFiniteAndFalls(String name) throws IOException {
    List<String> sets =
        List.of("train.steps=60", "train.evaluate_every=0", "train.checkpoint_every=0");
    Recipe recipe = Recipes.load(name, sets, List.of());
    List<Double> losses = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void onStep(StepLoss loss, double rate) {
            losses.add(loss.value());
          }
        };
    try (PointerScope scope = new PointerScope();
        Experiment experiment = Experiment.of(recipe, CPU);
        TrainableNetwork student = experiment.student(1)) {
      experiment.distiller(experiment.objective(), 1).withListener(listener).train(student);
      Score score = experiment.evaluation(Split.TEST).of(student, CPU);
      assertTrue(score.value("rmse") < 1.5, score.toString());
    }
    assertEquals(60, losses.size());
    assertTrue(losses.stream().allMatch(Double::isFinite), losses.toString());
    assertTrue(
        mean(losses.subList(50, 60)) < 0.98 * mean(losses.subList(0, 10)), losses.toString());
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(value -> value).average().orElseThrow();
  }

  private static Path trained(Recipe recipe, Path file) throws IOException {
    try (PointerScope scope = new PointerScope();
        Experiment experiment = Experiment.of(recipe, CPU);
        TrainableNetwork student = experiment.student(1)) {
      experiment.distiller(experiment.objective(), 1).train(student);
      AtomicFile.write(file, student.toFile(Map.of())::write);
    }
    return file;
  }

  private static Score score(Recipe recipe, long seed) throws IOException {
    try (PointerScope scope = new PointerScope();
        Experiment experiment = Experiment.of(recipe, CPU);
        TrainableNetwork student = experiment.student(seed)) {
      return experiment.evaluation(Split.TEST).of(student, CPU);
    }
  }

  /** Bidirectional distillation as docs/systems.md has it: each network goes on from its file. */
  @Test
  void teacherAndStudentTakeTurns() throws IOException {
    List<String> brief =
        List.of("train.steps=5", "train.evaluate_every=0", "train.checkpoint_every=0");
    Path large = trained(Recipes.load("recsys-teacher", brief, List.of()), temp.resolve("large"));
    Path small = temp.resolve("small");
    Path first = trained(Recipes.load("recsys-bd", turn(brief, large, null), List.of()), small);
    List<String> second = turn(brief, first, large);
    second.add("losses.scores.preset=teacher_term");
    Recipe teachers = Recipes.load("recsys-bd", second, List.of());
    Score before = score(teachers, 1);
    assertEquals(before.toString(), score(teachers, 2).toString(), "a seed draws no weights");
    Path after = trained(teachers, temp.resolve("larger"));
    Score large2 = score(Recipes.load("recsys-bd", turn(brief, first, after), List.of()), 1);
    assertNotEquals(before.toString(), large2.toString());
  }

  private static List<String> turn(List<String> brief, Path teacher, @Nullable Path student) {
    List<String> sets = new ArrayList<>(brief);
    sets.add("teacher={kind: file, file: '%s'}".formatted(teacher));
    if (student != null) {
      sets.add("student={kind: trained, file: '%s'}".formatted(student));
    }
    return sets;
  }

  @Test
  void aStudentThatIsNotThereIsASentence() {
    Path none = temp.resolve("none.safetensors");
    String set = "student={kind: trained, file: '%s'}".formatted(none);
    Recipe recipe = Recipes.load("recsys-bd", List.of(set), List.of());
    IOException e = assertThrows(IOException.class, () -> Experiment.of(recipe, CPU));
    assertTrue(e.getMessage().startsWith(none + ": expected "), e.getMessage());
  }

  @Test
  void aTeacherOfOtherRatingsIsToldForOne() throws IOException {
    StringBuilder text = new StringBuilder("user,item,rating\n");
    for (int i = 0; i < 20 * 900; i++) {
      text.append("u%d,i%d,%d\n".formatted(i / 20, i * 7 % 50, 1 + i % 5));
    }
    Path file = Files.writeString(temp.resolve("mine.csv"), text);
    Recipe recipe = Recipes.load("recsys-rating", List.of("data.file=" + file), List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(recipe, CPU));
    assertTrue(
        e.getMessage()
            .endsWith(
                "teacher has 400 users and 240 items, expected 900 and 50 as the data:"
                    + " it was trained on others"),
        e.getMessage());
  }

  @Test
  void ratingsOfAFileAreLearned() throws IOException {
    StringBuilder text = new StringBuilder("user,item,rating\n");
    for (int i = 0; i < 600; i++) {
      text.append("u%d,i%d,%d\n".formatted(i / 20, i * 7 % 50, 1 + i % 5));
    }
    Path file = Files.writeString(temp.resolve("mine.csv"), text);
    List<String> sets =
        List.of(
            "data={kind: rated_items, file: '" + file + "', batch: 8}",
            "teacher=null",
            "losses.ratings=null");
    Recipe recipe = Recipes.load("recsys-rating", sets, List.of());
    try (Experiment experiment = Experiment.of(recipe, CPU)) {
      assertEquals(30, experiment.data().size(Split.TEST));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          data.batch=0       | data.batch: batch is 0, expected 1 or more
          data.rated=0       | data.rated: rated is 0, expected 1 or more
          data.source=movie  | data.source is "movie", expected one of insteval, made, movielens
          data={kind: rated_items, source: insteval, file: mine.csv} | file and source are both given, expected one: a file, or the source insteval
          metric.top=0       | metric.top: top is 0, expected 1 or more
          """)
  void aValueThatCannotBeIsASentence(String set, String sentence) {
    RecipeException e =
        assertThrows(
            RecipeException.class, () -> Recipes.load("recsys-rd", List.of(set), List.of()));
    assertTrue(e.getMessage().contains(sentence.strip()), e.getMessage());
  }

  /** Fewer users and items than the network has rows for: it would answer, for others. */
  @Test
  void aNetworkOfOtherRatingsIsRefused() throws IOException {
    StringBuilder ratings = new StringBuilder("user,item,rating\n");
    for (int i = 0; i < 200; i++) {
      ratings.append("%d,%d,%d\n".formatted(i / 10, i % 20, 1 + i % 5));
    }
    Path file = Files.writeString(temp.resolve("mine.csv"), ratings);
    List<String> sets = List.of("data.file=" + file, "data.batch=4");
    Recipe ftd = Recipes.load("recsys-ftd", sets, List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(ftd, CPU));
    assertEquals(
        "recipe recsys-ftd: teacher has 400 users and 240 items, expected 20 and 20 as the data:"
            + " it was trained on others",
        e.getMessage());
    List<String> brief =
        List.of("train.steps=1", "train.evaluate_every=0", "train.checkpoint_every=0");
    Path weights = trained(Recipes.load("recsys-teacher", brief, List.of()), temp.resolve("made"));
    List<String> goingOn = new ArrayList<>(sets);
    goingOn.add("student={kind: trained, file: " + weights + "}");
    Recipe trained = Recipes.load("recsys-teacher", goingOn, List.of());
    e = assertThrows(RecipeException.class, () -> Experiment.of(trained, CPU));
    assertTrue(e.getMessage().contains(": student has 400 users and 240 items"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          recsys-rd | data.batch=500 | batch is 500, expected 1 to 400, the number of users
          recsys-rd | metric.top=241 | metric: top is 241, expected at most 240, the number of items
          recsys-rd | data.unrated=241 | data: unrated is 241, expected at most 240, the number of items
          recsys-rd | data.rated=241 | data: rated is 241, expected at most 240, the number of items
          recsys-rd | metric.liked=6 | metric: liked is 6.0, expected at most 5.0, the highest validation rating
          recsys-rd | data={kind: made_ratings} | metric: recommendation needs data of the kind rated_items
          recsys-rd | metric={kind: segmentation, on: rating} | metric: segmentation needs data with classes
          kd | metric={kind: recommendation, on: rating, scores: scores} | metric: recommendation needs data of the kind rated_items
          ratings | losses.relational={loss: ranking_distillation, preset: by_position, on: scores, weight: 1} | scores
          """)
  void partsThatDoNotFitAreNamed(String recipe, String set, String sentence) {
    Recipe read = Recipes.load(recipe, List.of(set), List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(read, CPU));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
  }
}
