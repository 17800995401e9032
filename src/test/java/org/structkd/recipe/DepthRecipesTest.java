package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.DepthNet;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;
import org.structkd.train.AtomicFile;

/** Recipes of depth: that they learn, and what does not fit together. */
@InScope(threads = 1)
class DepthRecipesTest {
  private static final Device CPU = new Device("cpu");

  static List<String> names() {
    return Recipes.names().stream()
        .filter(name -> Recipes.load(name).data() instanceof StereoSettings)
        .toList();
  }

  private static Recipe small(String name, String... sets) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "data.batch=2",
                "data.validation=1",
                "data.test=4",
                "student.width=2",
                "train.checkpoint_every=0"));
    all.addAll(List.of(sets));
    return Recipes.load(name, all, List.of());
  }

  private static Score trained(Recipe recipe, Map<String, Double> before) throws IOException {
    try (Experiment experiment = Experiment.of(recipe, CPU);
        TrainableNetwork student = experiment.student(1)) {
      String weights = student.fingerprint();
      before.put("abs_rel", experiment.evaluation(Split.TEST).of(student, CPU).leading().value());
      experiment.distiller(experiment.objective(), 1).train(student);
      assertFalse(weights.equals(student.fingerprint()));
      return experiment.evaluation(Split.TEST).of(student, CPU);
    }
  }

  /** Six steps say nothing about depth, but that all parts work. */
  @ParameterizedTest
  @MethodSource("names")
  void aFewStepsAreTrained(String name) throws IOException {
    Score score = trained(small(name, "train.steps=6"), new HashMap<>());
    assertTrue(Double.isFinite(score.leading().value()), score.toString());
  }

  /** The pull of the teacher is felt within few steps. */
  @Test
  void pseudoLabelsTeachDepth() throws IOException {
    Map<String, Double> before = new HashMap<>();
    Score after =
        trained(small("depth-pseudo-label-only", "train.steps=30", "student.width=4"), before);
    assertTrue(after.leading().value() < 0.8 * before.get("abs_rel"), before + " " + after);
  }

  /** The bundled teacher is better than the median depth everywhere, see BundledTeacher. */
  @Test
  void theTeacherIsWorthLearningFrom() throws IOException {
    try (Experiment experiment = Experiment.of(small("depth-pseudo-label", "data.test=20"), CPU)) {
      Score score = experiment.evaluation(Split.TEST).of(experiment.teachers().get("teacher"), CPU);
      assertTrue(score.value("gain") > 0.2, score.toString());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "losses.pseudo_label.preset=berhu",
        "losses.pseudo_label={loss: regression, preset: log_absolute, on: depth, weight: 1}",
        "losses.pseudo_label.on=depth"
      })
  void theOptionsOfTheDocsAreRecipes(String set) throws IOException {
    Score score = trained(small("depth-pseudo-label-only", set, "train.steps=2"), new HashMap<>());
    assertTrue(Double.isFinite(score.leading().value()), score.toString());
  }

  @Test
  void aloneTheStudentLearnsFromPairs() throws IOException {
    try (Experiment experiment = Experiment.of(small("depth-pseudo-label"), CPU)) {
      assertEquals(
          List.of("photometric", "smoothness"),
          experiment.alone().orElseThrow().terms().stream().map(term -> term.name()).toList());
      assertTrue(experiment.student(1) instanceof DepthNet);
    }
  }

  /** What a file's network means by a disparity is held against the loss, too. */
  @Test
  void aTrainedStudentOfOtherDepthsIsRefused(@TempDir Path temp) throws IOException {
    Path file = temp.resolve("net.safetensors");
    try (DepthNet net = new DepthNet(new DepthNet.Config(1, 2, 0.5, 20), 1)) {
      AtomicFile.write(file, net.toFile(Map.of())::write);
    }
    String set = "student={kind: trained, file: '%s'}".formatted(file);
    Recipe recipe = Recipes.load("depth-teacher", List.of(set), List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(recipe, CPU));
    assertTrue(e.getMessage().contains("the student's are from 0.5 to 20.0"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          data.scale=3        | data.scale: scale is 3, expected 1, 2 or 4
          data.height=20      | data.height: height is 20, expected a multiple of 16, or 0 for all rows
          data.source=photos  | data.source is "photos", expected one of made, motorcycle
          student.width=0     | student.width: depth net: width is 0, expected 1 to 512
          student.nearest=30  | student.nearest: depth net: nearest is 30.0 and farthest is 20.0
          metric.cap=0        | metric.cap: depth metric: cap is 0.0, expected a finite number greater than 0
          metric.scaling=mean | metric.scaling is "mean", expected one of median, none
          """)
  void aValueThatCannotBeIsASentence(String set, String sentence) {
    RecipeException e = assertThrows(RecipeException.class, () -> small("depth-pseudo-label", set));
    assertTrue(e.getMessage().contains(sentence.strip()), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          depth-teacher | data.height=80 | height is 80, expected at most 64, the rows of a block of made
          depth-teacher | student.nearest=0.5 | losses.photometric is of depths from 1.0 to 20.0, but the student's are from 0.5 to 20.0, expected equal ones
          depth-teacher | metric.cap=1 | depth metric: an image has no pixel with a true depth up to cap, which is 1.0
          depth-teacher | metric.on=disparty | disparity
          depth-teacher | metric={kind: segmentation, on: depth} | metric: segmentation needs data with classes
          depth-teacher | losses.photometric.preset=video | poses.1
          ratings-teacher | student={kind: depth_net, width: 4, nearest: 1, farthest: 2} | student: a depth net needs data of the kind stereo
          ratings-teacher | metric={kind: depth, on: rating} | metric: depth needs data of the kind stereo
          """)
  void partsThatDoNotFitAreNamed(String recipe, String set, String sentence) {
    Recipe read = Recipes.load(recipe, List.of(set), List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(read, CPU));
    assertTrue(e.getMessage().contains(sentence.strip()), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }
}
