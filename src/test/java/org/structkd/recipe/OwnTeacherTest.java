package org.structkd.recipe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.Batch;
import org.structkd.data.DataFileException;
import org.structkd.data.ImageFolder;
import org.structkd.model.BackboneNet;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.testing.InScope;
import org.structkd.testing.ScriptFile;
import org.structkd.testing.Tensors;

/**
 * Photographs, a backbone with weights from elsewhere, and a teacher whose images and classes are
 * others: its class scores are the three channels that it sees.
 */
@InScope(threads = 1)
class OwnTeacherTest {
  private static final Device CPU = new Device("cpu");

  @TempDir private Path folder;
  private Path recipe;

  @BeforeEach
  void write() throws IOException {
    ImageFolder.pairs(
        folder.resolve("data"), 24, 32, IntStream.range(0, 12).mapToObj(i -> "p" + i).toList());
    ScriptFile.write(folder.resolve("teacher.pt"), "Tensor", "torch.mul(images, 1)");
    recipe =
        Files.writeString(
            folder.resolve("mine.yaml"),
            """
            data:
              kind: image_files
              directory: %1$s/data
              layout: folder
              classes: [dark, bright]
              batch: 2
              augmentation: {crop: {height: 16, width: 24}}
              evaluated: {height: 24, width: 32}
              mean: [0.5, 0.4, 0.3]
              deviation: [0.25, 0.5, 1]
            teacher: {kind: torchscript, file: %1$s/teacher.pt, adapted: {classes: [1, 0, 1]}}
            student: {kind: backbone_net, backbone: resnet18, head: lraspp, width: 0.125, features: 8}
            losses:
              supervised: {loss: cross_entropy, on: upsampled, weight: 1}
              kd: {loss: pixelwise, preset: kd, on: logits, weight: 1, resize_teacher: true}
            train: {steps: 2, evaluate_every: 0, checkpoint_every: 0, optimizer: {kind: sgd, rate: 0.1, momentum: 0.9}}
            metric: {kind: segmentation, on: upsampled}
            """
                .formatted(folder));
  }

  private Experiment of(String... sets) throws IOException {
    return Experiment.of(Recipes.load(recipe.toString(), List.of(sets), List.of()), CPU);
  }

  private void refused(String sentence, String... sets) {
    String message = assertThrows(RecipeException.class, () -> of(sets)).getMessage();
    assertTrue(message.endsWith(sentence), message);
  }

  private static Batch batch(Experiment experiment) throws IOException {
    try {
      return experiment.data().training(2).prepare(0).tensors();
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static Tensor logits(Experiment experiment, Batch batch) {
    return experiment.teachers().get("teacher").infer(batch.inputs()).get("logits");
  }

  /** One class keeps its logit; of two the probabilities are added. */
  @Test
  void theTeachersClassesBecomeTheStudents() throws IOException {
    try (Experiment experiment = of()) {
      Batch batch = batch(experiment);
      Tensor logits = logits(experiment, batch);
      assertArrayEquals(new long[] {2, 2, 16, 24}, logits.shape());
      Tensor seen = torch.softmax(batch.input("images"), 1);
      Tensor joined = torch.softmax(logits, 1);
      assertClose(seen.select(1, 1), joined.select(1, 0));
      assertClose(seen.select(1, 0).add(seen.select(1, 2)), joined.select(1, 1));
    }
    try (Experiment experiment = of("teacher.adapted.classes=[-1, 1, 0]")) {
      Batch batch = batch(experiment);
      Tensor images = batch.input("images");
      Tensor swapped = images.index_select(1, Tensor.create(new long[] {2, 1}));
      assertTrue(logits(experiment, batch).equal(swapped));
    }
  }

  @Test
  void theTeacherSeesImagesInItsOwnSizeAndNormalisation() throws IOException {
    String same = "teacher.adapted={classes: [0, 1, -1], scale: 1.5, mean: [0, 0, 0.5],";
    try (Experiment experiment = of(same + " deviation: [1, 1, 0.5]}".strip())) {
      Batch batch = batch(experiment);
      Tensor images = batch.input("images");
      Tensor logits = logits(experiment, batch);
      assertArrayEquals(new long[] {2, 2, 24, 36}, logits.shape());
      Tensor red = images.narrow(1, 0, 1).mul(new Scalar(0.25)).add(new Scalar(0.5));
      Tensor larger = torch.upsample_bilinear2d(red, new long[] {24, 36}, false);
      assertClose(larger, logits.narrow(1, 0, 1));
      assertTrue(red.min().item_double() > -1e-6 && red.max().item_double() < 1 + 1e-6);
    }
    try (Experiment experiment =
        of("teacher.adapted.size={height: 7, width: 9}", "teacher.adapted.scores=[logits]")) {
      assertArrayEquals(new long[] {2, 2, 7, 9}, logits(experiment, batch(experiment)).shape());
      assertTrue(
          experiment.teachers().get("teacher").fingerprint().contains("height=7"),
          "another size is another teacher");
    }
  }

  private static void assertClose(Tensor expected, Tensor actual) {
    assertTrue(Tensors.relativeError(actual, expected) < 1e-6);
  }

  @Test
  void whatDoesNotFitIsToldBeforeTheFirstStep() {
    refused(
        "teacher.adapted.classes has no class of the teacher for class 1 (bright) of the data",
        "teacher.adapted.classes=[0, 0, -1]");
    refused(
        "teacher.adapted.classes has 2, expected -1 to 1: the data have 2 classes",
        "teacher.adapted.classes=[0, 1, 2]");
    refused(
        "teacher.adapted.classes has 2 classes, but the teacher's \"logits\" is [2, 3, 16, 24]",
        "teacher.adapted.classes=[0, 1]");
    refused(
        "the teacher has no tap \"upsampled\", it has: logits",
        "teacher.adapted.scores=[upsampled]");
    refused(
        "mean has 3 numbers and deviation 0, expected one of each for each channel",
        "teacher.adapted.mean=[0, 0, 0]");
    refused(
        "teacher.adapted.mean has 1 numbers, expected 3 as the data's",
        "teacher.adapted.mean=[0]",
        "teacher.adapted.deviation=[1]");
    refused(
        "both size and scale are given, expected one of them",
        "teacher.adapted.scale=2",
        "teacher.adapted.size={height: 1, width: 1}");
    refused("scale is 0.0, expected above 0, at most 32.0", "teacher.adapted.scale=0");
    RecipeException noColours =
        assertThrows(
            RecipeException.class,
            () ->
                Experiment.of(
                    Recipes.load(
                        "garments-kd",
                        List.of("data.batch=2", "teacher.adapted={mean: [0], deviation: [1]}"),
                        List.of()),
                    CPU));
    assertTrue(
        noColours
            .getMessage()
            .endsWith(
                "teacher.adapted has a mean, but data of the kind garments do not tell theirs,"
                    + " expected image_files"),
        noColours.getMessage());
  }

  @Test
  void aTeacherOfAnotherStrideOrOfOtherClassesIsToldWithBothShapes() {
    for (String[] sets :
        new String[][] {
          {"losses.kd.resize_teacher=false", "[2, 2, 2, 3]", "[2, 2, 16, 24]"},
          {"teacher.adapted=null", "[2, 2, ", "[2, 3, "}
        }) {
      String message = assertThrows(RecipeException.class, () -> of(sets[0])).getMessage();
      assertTrue(message.contains("term \"kd\""), message);
      assertTrue(message.contains(sets[1]) && message.contains(sets[2]), message);
    }
  }

  /** Its weights may be constants of its code, but what it puts out is seen. */
  @Test
  void aTeacherThatPutsOutNoNumbersIsToldBeforeTheFirstStep() throws IOException {
    ScriptFile.write(
        folder.resolve("teacher.pt"),
        "Dict[str, Tensor]",
        "{\"logits\": torch.log(torch.mul(images, 0)), \"other\": images}");
    refused(
        "the teacher's \"logits\" has 1536 of 1536 elements NaN or infinite for the first batch:"
            + " check its weights, and that it sees images as it was trained to");
    String[] unread = {
      "losses.kd.on={student: logits, teacher: other}",
      "teacher.adapted={classes: [1, 0, 1], scores: [other]}"
    };
    of(unread).close();
  }

  @Test
  void recipesThatSayNothingOfItPrintNothingOfIt() {
    Recipe printed = Recipes.load(recipe.toString());
    assertTrue(printed.toYaml().contains("adapted: {classes: [1, 0, 1]}"), printed.toYaml());
    assertFalse(Recipes.load("kd").toYaml().contains("adapted"));
  }

  /** What docs/backbones.md shows of recipes is read. */
  @Test
  void thePagesExamplesAreRead() throws IOException {
    List<String> examples =
        Stream.of(Files.readString(Path.of("docs/backbones.md")).split("```yaml\n"))
            .skip(1)
            .map(text -> text.substring(0, text.indexOf("```")))
            .toList();
    assertEquals(2, examples.size());
    String rest =
        """
        data: {kind: fashion_scenes}
        losses: {supervised: {loss: cross_entropy, on: upsampled, weight: 1}}
        rate_factors: {head.: 10}
        train: {steps: 2, optimizer: {kind: adam, rate: 0.1}}
        metric: {kind: segmentation, on: upsampled}
        """;
    Path file = folder.resolve("example.yaml");
    Files.writeString(file, examples.get(0) + rest);
    BackboneNetSettings student = (BackboneNetSettings) Recipes.load(file.toString()).student();
    assertEquals(8, student.outputStride(), "as published");
    assertEquals(128, student.features());
    Files.writeString(
        file, examples.get(1) + "student: {kind: segmentation_net, width: 2}\n" + rest);
    assertEquals(
        List.of(0, 1, 2, 2, -1), Recipes.load(file.toString()).teacher().adapted().classes());
  }

  private Path weights(BackboneNet.Backbone backbone) throws IOException {
    Path file = folder.resolve("weights.safetensors");
    BackboneNet.Config config =
        new BackboneNet.Config(3, backbone, BackboneNet.Head.CLASSIFIER, 0.125, 32, 0, 7);
    try (BackboneNet classifier = new BackboneNet(config, 9)) {
      Files.write(file, classifier.toFile(Map.of()).toBytes());
    }
    return file;
  }

  @Test
  void aBackboneBeginsWithTheWeightsOfAFile() throws IOException {
    Path file = weights(BackboneNet.Backbone.RESNET18);
    try (Experiment experiment = of("student.pretrained=" + file);
        TensorFile weights = TensorFile.open(file);
        TrainableNetwork student = experiment.student(1);
        TrainableNetwork other = experiment.student(2)) {
      String name = "backbone.layer4.1.conv2.weight";
      Tensor own = StateDict.parametersOf(student.module()).get(name);
      assertTrue(own.equal(weights.tensor(name)));
      assertFalse(student.fingerprint().equals(other.fingerprint()), "heads are of the seed");
      Objective objective = experiment.objective();
      Tensor before = own.detach().clone();
      experiment.distiller(objective, 1).train(student);
      assertFalse(own.equal(before), "it learns");
    }
  }

  @Test
  void weightsOfAnotherBackboneEndWithASentenceThatNamesTheFile() throws IOException {
    Path file = weights(BackboneNet.Backbone.RESNET34);
    DataFileException other =
        assertThrows(DataFileException.class, () -> of("student.pretrained=" + file));
    assertEquals(file.toString(), other.file());
    assertEquals("the tensors of a resnet18", other.expected());
    assertThrows(
        DataFileException.class, () -> of("student.pretrained=" + folder.resolve("nowhere")));
    refused("student.width: backbone net: width is 5.0, expected 0.0625 to 2.0", "student.width=5");
  }
}
