package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.TrainableNetwork;

/** Recipes of trajectories: what they do, and what does not fit together. */
class TrajectoryRecipesTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path folder;

  static List<String> names() {
    return Recipes.names().stream()
        .filter(name -> Recipes.load(name).data() instanceof CrowdsSettings)
        .toList();
  }

  private static Recipe small(String name, String... sets) {
    List<String> all =
        new ArrayList<>(List.of("data.scenes=3", "data.validation=1", "data.test=2"));
    all.addAll(List.of(sets));
    return Recipes.load(name, all, List.of());
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyOneTrainsStepsAndIsScored(String name) throws IOException {
    Recipe recipe = small(name, "train.steps=3", "train.checkpoint_every=0");
    try (Experiment experiment = Experiment.of(recipe, CPU);
        TrainableNetwork student = experiment.student(1)) {
      String before = student.fingerprint();
      experiment.distiller(experiment.objective(), 1).train(student);
      assertNotEquals(before, student.fingerprint());
      Score score = experiment.evaluation(Split.TEST).of(student, CPU);
      assertEquals("ade", score.leading().name());
      assertTrue(score.leading().value() < 3, score.toString());
    }
  }

  /** The bundled teacher is better than walking on, by what its Javadoc says. */
  @Test
  void theTeacherIsWorthLearningFrom() throws IOException {
    try (Experiment experiment = Experiment.of(small("trajectory", "data.test=15"), CPU)) {
      Score score = experiment.evaluation(Split.TEST).of(experiment.teachers().get("teacher"), CPU);
      assertTrue(score.value("gain") > 0.15, score.toString());
      assertTrue(score.value("zone") > 0.85, score.toString());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          data.observed=1 | data.observed: crowds: observed is 1, expected 2 to 1000
          data.predicted=100000000 | data.predicted: crowds: predicted is 100000000, expected 1 to 1000
          data.seconds=0 | data.seconds: crowds: seconds is 0.0, expected 0.01 to 10
          data.seconds=100 | data.seconds: crowds: seconds is 100.0, expected 0.01 to 10
          data.neighbours=100 | data.neighbours: crowds: neighbours is 100, expected 1 to 64
          data.zone=[[0, 0], [1, 1], [2, 2]] | data.zone: zone has its 3 corners on one line, expected an area
          data.source=eth | data.source is "eth", expected one of made, tracks
          data.zone=[[0, 0], [1, 1]] | data.zone: zone has 2 different corners, expected at least 3
          data.zone=[[0, 0], [1, 1], [2]] | data.zone: zone has the corner [2.0], expected x and y in metres
          data.file=tracks.txt | file goes with source tracks, but source is made
          student.width=0 | student.width: the width of a trajectory net must be 1 to 1024 but is 0
          """)
  void aValueThatCannotBeIsASentence(String set, String sentence) {
    RecipeException e = assertThrows(RecipeException.class, () -> small("trajectory", set.strip()));
    assertTrue(e.getMessage().contains(sentence.strip()), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          trajectory | data={kind: made_ratings} | metric: trajectory needs data of the kind crowds
          trajectory | metric={kind: rating, on: positions} | target "ratings"
          trajectory | student={kind: segmentation_net, width: 4} | student: the batch has no input "images"
          trajectory | data.predicted=6 | 6
          ratings-teacher | student={kind: trajectory_net, width: 4} | student: a trajectory net needs data of the kind crowds
          ratings-teacher | metric={kind: trajectory, on: rating} | metric: trajectory needs data of the kind crowds
          """)
  void partsThatDoNotFitAreNamed(String recipe, String set, String sentence) {
    Recipe read = Recipes.load(recipe, List.of(set.strip()), List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(read, CPU));
    assertTrue(e.getMessage().contains(sentence.strip()), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }

  /** Tracks that are too short, or of unknown columns, are told before anything is trained. */
  @Test
  void tracksThatDoNotFitAreASentence() throws IOException {
    Path file = Files.writeString(folder.resolve("t.txt"), "1 1 0 0\n2 1 0 1\n");
    assertEquals(
        "tracks of 0 people last 20 steps of 0.04 s, expected at least 3 people; the longest lasts"
            + " 2: predict fewer steps, or make seconds less",
        ofTracks(file));
    Files.writeString(file, "x y t\n");
    assertTrue(ofTracks(file).startsWith(file + ":1: expected 4 numbers (frame"), ofTracks(file));
    assertTrue(ofTracks(folder.resolve("no.txt")).contains("expected a file of tracks"));
  }

  private static String ofTracks(Path file) {
    Recipe recipe =
        small(
            "trajectory-teacher",
            "data.source=tracks",
            "data.seconds=0.04",
            "data.zone=[[0, 0], [1, 0], [1, 1]]",
            "data.file=" + file);
    String message = assertThrows(Exception.class, () -> Experiment.of(recipe, CPU)).getMessage();
    return message.substring(message.indexOf(message.contains("tracks of") ? "tracks of" : "/"));
  }
}
