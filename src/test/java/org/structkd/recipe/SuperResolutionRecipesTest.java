package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Split;
import org.structkd.metric.Score;

/** Recipes of super-resolution: what they do, and what does not fit together. */
class SuperResolutionRecipesTest {
  private static final Device CPU = new Device("cpu");

  static List<String> names() {
    return Recipes.names().stream()
        .filter(name -> Recipes.load(name).data() instanceof SuperResolutionSettings)
        .toList();
  }

  private static Recipe small(String name, String... sets) {
    List<String> all = new ArrayList<>(List.of("data.validation=4", "data.test=8"));
    all.addAll(List.of(sets));
    return Recipes.load(name, all, List.of());
  }

  @ParameterizedTest
  @MethodSource("names")
  void networksLossesAndMetricFit(String name) throws IOException {
    for (Recipe training : small(name).trainings()) {
      try (Experiment experiment = Experiment.of(training, CPU)) {
        assertEquals(8, experiment.data().size(Split.TEST));
      }
    }
  }

  /** The bundled teacher is better than bicubic enlargement, by what its Javadoc says. */
  @Test
  void theTeacherIsWorthLearningFrom() throws IOException {
    try (Experiment experiment = Experiment.of(small("sr-kd", "data.test=100"), CPU)) {
      Score score = experiment.evaluation(Split.TEST).of(experiment.teachers().get("teacher"), CPU);
      assertTrue(score.value("gain") > 3, score.toString());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          sr-kd      | data.scale=3   | data.scale: scale is 3, expected 2 or 4
          sr-kd      | data.patch=27  | data.patch: patch is 27, expected a multiple of 2, by which it is reduced
          sr-kd      | data.source=pictures | data.source is "pictures", expected one of faces, garments, photos
          sr-kd      | student.blocks=0 | student.blocks: the number of blocks of a super-resolution net must be 1 to 512 but is 0
          """)
  void aValueThatCannotBeIsASentence(String recipe, String set, String sentence) {
    RecipeException e = assertThrows(RecipeException.class, () -> small(recipe, set));
    assertTrue(e.getMessage().contains(sentence.strip()), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          sr-kd | data.scale=4 | image
          sr-kd | data.patch=30 | patch is 30, expected at most 28, the size of a picture
          sr-kd | data={kind: made_ratings} | metric: super_resolution needs data of the kind super_resolution
          sr-kd | metric={kind: segmentation, on: image} | metric: segmentation needs data with classes
          sr-kd | student={kind: segmentation_net, width: 4} | student: a segmentation net needs data with classes
          ratings-teacher | student={kind: super_resolution_net, width: 4, blocks: 1} | student: a super-resolution net needs data of the kind super_resolution
          """)
  void partsThatDoNotFitAreNamed(String recipe, String set, String sentence) {
    Recipe read = Recipes.load(recipe, List.of(set), List.of());
    RecipeException e = assertThrows(RecipeException.class, () -> Experiment.of(read, CPU));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }
}
