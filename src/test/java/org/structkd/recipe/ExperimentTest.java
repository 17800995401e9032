package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.data.DataFileException;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.train.MetricsCsv;

/** What recipes do, and what does not fit together. */
class ExperimentTest {
  private static final Device CPU = new Device("cpu");

  /** Where the stored trainings ran: other processors round otherwise. */
  private static final String RECORDED_ON = "AMD EPYC, family 25, model 17";

  /**
   * Five times what other threads and instruction sets changed, in parts: 0.002 of a validation.
   */
  private static final double ROUNDING = 1e-2;

  @TempDir private Path folder;

  private static Experiment of(String recipe, String... sets) throws IOException {
    return Experiment.of(Recipes.load(recipe, List.of(sets), List.of()), CPU);
  }

  /**
   * The first 40 steps of these methods before they were recipes: losses, weights that move, rates
   * and validation, digit by digit where the processor is the same.
   */
  @ParameterizedTest
  @ValueSource(strings = {"icsd", "gsskd"})
  void trainsAsTheMethodDidBeforeItWasARecipe(String name) throws IOException {
    Path log = folder.resolve("metrics.csv");
    int threads = torch.get_num_threads();
    torch.set_num_threads(1);
    try (Experiment experiment = of(name, "train.steps=40")) {
      Objective alone = experiment.alone().orElseThrow();
      MetricsCsv metrics = MetricsCsv.open(log, "miou", alone, experiment.objective());
      train(experiment, alone, metrics, "alone-1");
      train(experiment, experiment.objective(), metrics, "distilled-1");
    } finally {
      torch.set_num_threads(threads);
    }
    String expected = stored(name + "-40-steps.csv");
    if (processor().equals(RECORDED_ON)) {
      assertEquals(expected, Files.readString(log));
    } else {
      assertClose(expected.lines().toList(), Files.readAllLines(log));
    }
  }

  private void train(Experiment experiment, Objective objective, MetricsCsv metrics, String name)
      throws IOException {
    try (TrainableNetwork student = experiment.student(1)) {
      experiment
          .distiller(objective, 1)
          .withCheckpoint(folder.resolve(name + ".checkpoint"))
          .withListener(metrics.listener(name))
          .train(student);
    }
  }

  private static String stored(String name) throws IOException {
    try (InputStream in = ExperimentTest.class.getResourceAsStream("/recipe/" + name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static String processor() throws IOException {
    Path info = Path.of("/proc/cpuinfo");
    List<String> lines = Files.exists(info) ? Files.readAllLines(info) : List.of();
    return "%s, family %s, model %s"
        .formatted(of(lines, "model name"), of(lines, "cpu family"), of(lines, "model"));
  }

  private static String of(List<String> lines, String key) {
    return lines.stream()
        .filter(line -> line.matches(key + "\\s*:.*"))
        .map(line -> line.replaceFirst("[^:]*:\\s*", ""))
        .findFirst()
        .orElse("unknown");
  }

  private static void assertClose(List<String> expected, List<String> actual) {
    assertEquals(expected.size(), actual.size());
    for (int row = 0; row < expected.size(); row++) {
      String[] wanted = expected.get(row).split(",", -1);
      String[] found = actual.get(row).split(",", -1);
      assertEquals(wanted.length, found.length);
      for (int i = 0; i < wanted.length; i++) {
        if (!wanted[i].equals(found[i])) {
          double value = Double.parseDouble(wanted[i]);
          assertEquals(value, Double.parseDouble(found[i]), ROUNDING * Math.abs(value));
        }
      }
    }
  }

  @Test
  void holdsAllThatTheRecipeNames() throws IOException {
    try (Experiment experiment =
        of("skd", "student.width=3", "data.test=4", "data.validation=2", "data.batch=4")) {
      assertEquals(Set.of("teacher"), experiment.teachers().keySet());
      assertEquals(4, experiment.data().size(Split.TEST));
      assertEquals(Set.of("upsampled"), experiment.metric().taps());
      try (TrainableNetwork student = experiment.student(7);
          SegmentationNet same = new SegmentationNet(new SegmentationNet.Config(1, 3, 11), 7)) {
        assertEquals(same.fingerprint(), student.fingerprint());
        Score score = experiment.evaluation(Split.TEST).of(student, CPU);
        assertEquals("miou", score.leading().name());
      }
    }
  }

  @Test
  void aStudentLearnsAloneByTheTermsThatReadNoTeacher() throws IOException {
    try (Experiment experiment = of("icsd", "data.batch=4", "data.validation=2")) {
      Objective alone = experiment.alone().orElseThrow();
      assertEquals(List.of("supervised"), alone.terms().stream().map(term -> term.name()).toList());
      assertEquals(
          1, alone.terms().get(0).weight().at(0)); // whole, although it rises beside others
    }
    try (Experiment experiment = of("fashion-teacher", "data.batch=4", "data.validation=2")) {
      assertTrue(experiment.alone().isEmpty());
    }
  }

  @Test
  void severalTeachersAreReadByName() throws IOException {
    try (Experiment experiment =
        of(
            "kd",
            "data.batch=4",
            "data.validation=2",
            "teacher=null",
            "teachers={one: {kind: bundled}, two: {kind: bundled}}",
            "losses.pixelwise.on={student: logits, teacher: two.logits}")) {
      assertEquals(List.of("one", "two"), List.copyOf(experiment.teachers().keySet()));
    }
  }

  /** All of it before a file is written: both networks run on a batch. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          losses.pairwise.on=feature | term "pairwise": student has no tap "feature" for the role "features", it has: features, logits, upsampled; did you mean "features"?
          metric.on=upsample         | evaluation: the network has no tap "upsample", it has: features, logits, upsampled
          metric.on=logits           | segmentation metric: tap "logits" is [1, 11, 12, 12], expected [1, 11, 48, 48]
          teacher=null               | losses.pixelwise reads a teacher, but there is none: add a teacher, such as {kind: bundled}
          losses.pixelwise.on={student: upsampled, teacher: logits} | term "pixelwise": pixel-wise loss: student [4, 11, 48, 48] and teacher [4, 11, 12, 12] differ in height and width
          teacher.inputs={images: sar} | the batch has no input "sar", it has: images
          teacher.inputs={image: images} | the teacher has no input "image", it has: images; did you mean "images"?
          rate_factors={hed.: 10}    | rate factor of "hed.": no parameter's name begins so
          """)
  void whatDoesNotFitIsOneSentence(String set, String sentence) {
    RecipeException e =
        assertThrows(
            RecipeException.class, () -> of("skd", "data.batch=4", "data.validation=2", set));
    assertTrue(
        e.getMessage().startsWith("recipe skd: " + sentence),
        () -> e.getMessage() + "\ndoes not begin with\n" + sentence);
  }

  @Test
  void aTeacherOfOtherClassesIsNamedWithItsTap() throws IOException {
    Path file = folder.resolve("five.safetensors");
    try (SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 2, 5), 3)) {
      Files.write(file, net.toFile(Map.of()).toBytes());
    }
    RecipeException e =
        assertThrows(
            RecipeException.class,
            () ->
                of(
                    "kd",
                    "data.batch=4",
                    "data.validation=2",
                    "teacher={kind: file, file: " + file + "}"));
    assertEquals(
        "recipe kd: term \"pixelwise\": pixel-wise loss: student [4, 11, 12, 12] and teacher"
            + " [4, 5, 12, 12] differ in number of channels",
        e.getMessage());
  }

  /** Data may take minutes to read: a teacher that is not there is told before. */
  @ParameterizedTest
  @CsvSource({"file, a safetensors file", "torchscript, a TorchScript file"})
  void aMissingTeacherIsToldBeforeDataAreRead(String kind, String expected) {
    Path file = folder.resolve("none");
    DataFileException e =
        assertThrows(
            DataFileException.class,
            () ->
                of(
                    "kd",
                    "data.directory=" + folder.resolve("nowhere"),
                    "teacher={kind: %s, file: %s}".formatted(kind, file)));
    assertEquals(file + ": expected " + expected + ", found nothing of this name", e.getMessage());
  }

  @Test
  void missingFilesAreNamed() {
    Path missing = folder.resolve("teacher.safetensors");
    assertTrue(
        assertThrows(
                DataFileException.class,
                () -> of("kd", "teacher={kind: file, file: " + missing + "}"))
            .getMessage()
            .startsWith(missing.toString()));
    assertThrows(
        DataFileException.class, () -> of("kd", "data.directory=" + folder.resolve("nowhere")));
  }

  @Test
  void aTeacherOutOfAFileTeaches() throws IOException {
    Path file = folder.resolve("small.safetensors");
    try (SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 2, 11), 3)) {
      Files.write(file, net.toFile(Map.of()).toBytes());
      try (Experiment experiment =
          of(
              "kd",
              "data.batch=4",
              "data.validation=2",
              "teacher={kind: file, file: " + file + "}")) {
        assertEquals(net.fingerprint(), experiment.teachers().get("teacher").fingerprint());
      }
    }
  }
}
