package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Split;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.model.BundledTeacher;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.testing.InScope;
import org.structkd.train.TrainingListener;

/** The recipes on images of garments: that they run, and what does not fit in them. */
@InScope(threads = 1)
class GarmentsRecipesTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path folder;

  private static Experiment of(String recipe, String... sets) throws IOException {
    List<String> all =
        new ArrayList<>(List.of("data.batch=4", "data.validation=2", "student.width=2"));
    all.addAll(List.of(sets));
    return Experiment.of(Recipes.load(recipe, all, List.of()), CPU);
  }

  static List<String> recipes() {
    return Recipes.names().stream()
        .filter(name -> Recipes.load(name).data() instanceof GarmentsSettings)
        .filter(name -> Recipes.load(name).student() instanceof ResnetSettings)
        .toList();
  }

  @Test
  void publishedSystemsAreAmongThem() {
    assertTrue(
        recipes()
            .containsAll(
                List.of(
                    "afd",
                    "arkd",
                    "arkd-self",
                    "ensemble-regions",
                    "garments-kd",
                    "garments-teacher",
                    "rtk")));
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void everyOneTrainsAStepAndIsScored(String name) throws IOException {
    try (Experiment experiment =
            of(name, "train.steps=1", "train.checkpoint_every=0", "data.test=3");
        TrainableNetwork student = experiment.student(1)) {
      String before = student.fingerprint();
      experiment.distiller(experiment.objective(), 1).train(student);
      assertTrue(!before.equals(student.fingerprint()));
      assertEquals("accuracy", experiment.evaluation(Split.TEST).of(student, CPU).leading().name());
    }
  }

  /** On the first 200 test images, fast; the properties of the files tell all 1,000. */
  @Test
  void bundledTeachersAreWorthWhatTheirFilesSay() throws IOException {
    try (Experiment experiment = of("ensemble-regions", "data.test=200")) {
      for (String name : List.of("whole", "upper", "lower", "middle")) {
        TappedNetwork teacher = experiment.teachers().get(name);
        double accuracy =
            new DatasetEvaluation(experiment.data(), Split.TEST, experiment.metric())
                .of(teacher, CPU)
                .value("accuracy");
        String file = name.equals("whole") ? "garments" : "garments-" + name;
        try (TensorFile weights = BundledTeacher.file(file)) {
          assertEquals(Double.parseDouble(weights.property("test accuracy")), accuracy, 0.06, name);
        }
      }
    }
  }

  @Test
  void theDensenetIsWorthWhatItsFileSays() throws IOException {
    Recipe prunes = Recipes.load("densenet-prune-quant-ab", List.of("data.test=200"), List.of());
    try (Experiment experiment = Experiment.of(prunes.trainings().get(2), CPU);
        TensorFile weights = BundledTeacher.file(BundledTeacher.DENSENET)) {
      double accuracy =
          new DatasetEvaluation(experiment.data(), Split.TEST, experiment.metric())
              .of(experiment.teachers().get("teacher"), CPU)
              .value("accuracy");
      assertEquals(Double.parseDouble(weights.property("test accuracy")), accuracy, 0.06);
    }
  }

  @Test
  void teachersOfRegionsReadThese() throws IOException {
    try (Experiment experiment = of("ensemble-regions")) {
      assertEquals(
          List.of("whole", "upper", "lower", "middle"),
          List.copyOf(experiment.teachers().keySet()));
      assertEquals(Set.of("images"), experiment.teachers().get("whole").inputs());
      assertEquals(Set.of("upper"), experiment.teachers().get("upper").inputs());
      Tensor upper = experiment.data().examples(Split.TEST, 0, 1).input("upper");
      assertArrayEquals(new long[] {1, 1, 16, 28}, upper.shape());
    }
  }

  /** With momentum, augmented images and an attention that learns beside the student. */
  @Test
  void killedAndContinuedEqualsUninterrupted() throws IOException {
    Path whole = folder.resolve("whole");
    Path killed = folder.resolve("killed");
    try (Experiment experiment =
        of("afd", "train.steps=6", "train.evaluate_every=4", "train.checkpoint_every=2")) {
      train(experiment, whole, 1, killed);
      train(experiment, killed, 2, null); // whose own weights do not matter
    }
    try (TensorFile one = TensorFile.open(whole);
        TensorFile two = TensorFile.open(killed)) {
      assertEquals(one.names(), two.names());
      assertTrue(one.names().contains("part.attention_feature.query0_weight"));
      for (String name : one.names()) {
        assertTrue(torch.equal(one.tensor(name), two.tensor(name)), name);
      }
    }
  }

  private static void train(Experiment experiment, Path file, long weights, Path copy)
      throws IOException {
    TrainingListener copying =
        new TrainingListener() {
          @Override
          public void onCheckpoint(long stepsDone, Path saved) {
            if (stepsDone == 4 && copy != null) {
              try {
                Files.copy(saved, copy);
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            }
          }
        };
    try (TrainableNetwork student = experiment.student(weights)) {
      experiment
          .distiller(experiment.objective(), 1)
          .withCheckpoint(file)
          .withListener(copying)
          .train(student);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          afd | data.batch=1 | recipe afd: term "attention_feature": attention feature loss: student features.0 [1, 2, 28, 28] is a batch of one, of which the attention's batch normalisation has no statistics: use a batch of 2 or more
          arkd | data.batch=2 | recipe arkd: term "distance": relational loss
          rtk | losses.attention_feature.keep=4 | recipe rtk: term "attention_feature": attention feature loss: keep is 4, but there are 3 layers to keep keys of: wire more, or keep at most 3
          afd | metric.on=embeddings| recipe afd: classification metric: tap "embeddings" is [1, 8], expected [1, 10]
          afd | data.labelled=4500 | recipe afd: garments: labelled is 4500, expected 0 to 4499
          ensemble-regions | losses.ensemble.weights=[1] | recipe ensemble-regions: term "ensemble": ensemble loss: weights has 1 numbers, but there are 4 teachers
          ensemble-regions | teachers.upper.inputs={images: collar} | recipe ensemble-regions: the batch has no input "collar"
          ensemble-regions | data.regions.upper.height=29 | recipe ensemble-regions:12: data.regions: upper in regions takes the rows 0 to 28 and the columns 0 to 27, but images have 28 x 28
          afd | student.depth=10 | --set student.depth=10: student.depth: resnet: depth is 10, expected 6 n + 2 for n blocks in each of three stages: 8, 14, 20 ...
          """)
  void whatDoesNotFitIsOneSentence(String recipe, String set, String sentence) {
    RecipeException e = assertThrows(RecipeException.class, () -> of(recipe, set));
    assertTrue(
        e.getMessage().startsWith(sentence),
        () -> e.getMessage() + "\ndoes not begin with\n" + sentence);
  }
}
