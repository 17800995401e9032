package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.data.Split;
import org.structkd.loss.Game;
import org.structkd.loss.HolisticLoss;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;

/** The recipes of SKD, AICSD, GSSKD and of teachers that see more: they run, and what cannot be. */
@InScope(threads = 1)
class SegmentationRecipesTest {
  private static final Device CPU = new Device("cpu");

  private static Recipe read(String recipe, String... sets) {
    return Recipes.load(recipe, List.of(sets), List.of());
  }

  private static Experiment small(String recipe, String... sets) throws IOException {
    List<String> all = new ArrayList<>(List.of("data.batch=2", "train.checkpoint_every=0"));
    if (!(Recipes.load(recipe).data() instanceof LandsatSettings)) {
      all.addAll(List.of("data.validation=2", "data.test=2"));
    }
    all.addAll(List.of(sets));
    return Experiment.of(Recipes.load(recipe, all, List.of()), CPU);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "skd-pixel",
        "skd-pair",
        "skd-holistic",
        "skd-full",
        "icsd-alw",
        "gsskd-cirkd",
        "gsskd-cwd",
        "gsskd-dist",
        "landsat-teacher",
        "privileged-landsat",
        "privileged-scenes"
      })
  void everyOneTrainsSomeStepsAndIsScored(String name) throws IOException {
    try (Experiment experiment = small(name, "train.steps=2", "student.width=2");
        TrainableNetwork student = experiment.student(1)) {
      String before = student.fingerprint();
      experiment.distiller(experiment.objective(), 1).train(student);
      assertNotEquals(before, student.fingerprint());
      double miou = experiment.evaluation(Split.TEST).of(student, CPU).value("miou");
      assertTrue(miou >= 0 && miou < 1, miou + "");
    }
  }

  /** Recipes of one data set differ in what they train. */
  @Test
  void noTwoAreTheSameTraining() {
    Map<String, String> seen = new HashMap<>();
    for (String name : Recipes.names()) {
      Recipe recipe = Recipes.load(name);
      String training =
          List.of(recipe.data(), recipe.student(), recipe.losses(), recipe.train(), recipe.stages())
              + " "
              + recipe.teacher()
              + recipe.teachers();
      String other = seen.put(training, name);
      assertEquals(null, other, () -> name + " trains what " + other + " trains");
    }
  }

  @Test
  void theHolisticLossCanBeOfTheOtherForms() throws IOException {
    Recipe published = read("skd-full");
    assertEquals(HolisticLoss.skdCvpr19(), published.losses().get("holistic").term().loss());
    Recipe hinge = read("skd-full", "losses.holistic.game=hinge", "losses.holistic.penalty=0");
    assertEquals(
        new HolisticLoss(Game.HINGE, 0, true), hinge.losses().get("holistic").term().loss());
    Recipe blind = read("skd-full", "losses.holistic.conditioned=false");
    assertEquals(HolisticLoss.skdReleased(), blind.losses().get("holistic").term().loss());
    for (String set : List.of("losses.holistic.game=hinge", "losses.holistic.conditioned=false")) {
      try (Experiment experiment = small("skd-holistic", "train.steps=1", set);
          TrainableNetwork student = experiment.student(1)) {
        experiment.distiller(experiment.objective(), 1).train(student);
      }
    }
  }

  @Test
  void weightsOfAicsdMoveInItsStages() {
    Recipe recipe = read("icsd-alw", "train.steps=240");
    WeightSettings rising = recipe.losses().get("inter_class_similarity").weight();
    WeightSettings falling = recipe.losses().get("pixelwise").weight();
    assertEquals(0, rising.schedule(240).at(1));
    assertEquals(9500 / 120.0, rising.schedule(240).at(2), 1e-9);
    assertEquals(10, falling.schedule(240).at(1));
    assertEquals(10 * 60 / 120.0, falling.schedule(240).at(120), 1e-9);
  }

  @Test
  void teachersReadWhatStudentsDoNot() throws IOException {
    for (Map.Entry<String, String> recipe :
        Map.of("privileged-landsat", "bands", "privileged-scenes", "clean").entrySet()) {
      try (Experiment experiment = small(recipe.getKey());
          TrainableNetwork student = experiment.student(1)) {
        assertEquals(Set.of(recipe.getValue()), experiment.teachers().get("teacher").inputs());
        assertEquals(Set.of("images"), student.inputs());
        assertTrue(((SegmentationNet) student).config().deformable());
        assertTrue(
            StateDict.parametersOf(student.module()).containsKey("bottom_conv_offsets.weight"));
      }
    }
  }

  /** Test blocks are few: what its Javadoc says holds but for rounding elsewhere. */
  @Test
  void theBundledTeacherIsWorthWhatIsSaid() throws IOException {
    try (Experiment experiment = small("privileged-landsat")) {
      double miou =
          experiment
              .evaluation(Split.TEST)
              .of(experiment.teachers().get("teacher"), CPU)
              .value("miou");
      assertEquals(0.5838, miou, 0.005);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          privileged-landsat | data.block=24 | data.block: landsat: block is 24, expected 32, the crop, to 174, of which every split has one
          privileged-landsat | data.images=[] | data.images: landsat: images is [], expected one band or more, each once
          privileged-landsat | data.images=[red, sar] | data.images.1 is "sar", expected one of blue, elevation, green, nir, red, swir1, swir2
          privileged-scenes  | data.noise=2 | data.noise: noise must be 0 to 1 but is 2.0
          privileged-scenes  | student.deformable=maybe | student.deformable is "maybe", expected true or false
          """)
  void aValueThatCannotBeIsASentence(String recipe, String set, String sentence) {
    RecipeException e = assertThrows(RecipeException.class, () -> read(recipe, set));
    assertEquals("--set " + set + ": " + sentence, e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          privileged-landsat | teacher.inputs=null | teacher: segmentation net: images are [2, 3, 32, 32], expected [B, 7, H, W] with H and W multiples of 8
          privileged-landsat | teacher.inputs.images=sar | the batch has no input "sar"
          privileged-landsat | data.crop=33 | images are [2, 7, 33, 33], expected [B, 7, H, W] with H and W multiples of 8
          privileged-landsat | data.labelled=29 | landsat: labelled is 29, expected 0 to 28
          privileged-scenes  | losses.pixelwise.resize_teacher=false | resize one of them, in a term by resize_teacher of a recipe
          skd-holistic       | losses.holistic.on=logits | holistic loss: the teacher's map is 12 x 12, expected 32 x 32 or more
          """)
  void whatDoesNotFitIsOneSentence(String recipe, String set, String sentence) {
    RecipeException e = assertThrows(RecipeException.class, () -> small(recipe, set));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
    assertFalse(e.getMessage().contains("\n"), e.getMessage());
  }
}
