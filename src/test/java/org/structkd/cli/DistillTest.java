package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.select.Elements;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.train.MetricsCsv;

/** What distill leaves, says and refuses. Signals are in {@link KillTest}. */
class DistillTest {
  @TempDir private Path temp;

  @Test
  void aRunEndsWithATableAndLeavesItsFolder() throws IOException {
    Path folder = temp.resolve("run");
    Cli cli = Cli.distill(folder, "--seeds", 2);
    assertEquals(0, cli.status(), cli.err());
    for (String row : new String[] {"teacher", "student alone", "student, kd"}) {
      assertTrue(cli.out().matches("(?s).*\n" + row + " +[0-9,]+ +0\\.[0-9]{4}.*"), cli.out());
    }
    assertTrue(cli.out().matches("(?s).*gain by kd: [+-]0\\.\\d{4} ± 0\\.\\d{4}.*"), cli.out());
    String loading = "examples/s: \\d+ can be prepared, \\d+ learned; waited [0-9.]+ of [0-9.]+ s";
    assertEquals(5, cli.out().split(loading).length, cli.out()); // each of four trainings
    assertTrue(cli.out().contains(folder.resolve("report.html").toString()), cli.out());
    for (String name : new String[] {"samples.png", "curves.png", "confusion.png"}) {
      assertTrue(ImageIO.read(folder.resolve(name).toFile()).getWidth() > 100, name);
    }
    String report = Files.readString(folder.resolve("report.html"));
    for (String part :
        new String[] {
          "student, kd",
          "data:image/png;base64,",
          "<tr><td>2</td><td>0.", // the second seed's gain
          "<td>IoU of shirt</td><td>0.", // a class and its IoU
          "style=\"background:#46f0f0\"></span>shirt",
          "<pre>./structkd distill --recipe kd --steps 20 ",
          "losses:",
          "processor: ",
          "structkd: 0."
        }) {
      assertTrue(report.contains(part), part);
    }
    assertFalse(report.contains("http"), "the report must need no other file");
    Document page = Jsoup.parse(report);
    Elements sliders = page.select(".samples:has(input[type=range])");
    assertEquals(6, sliders.size());
    assertEquals(
        List.of("truth", "student alone", "student, kd"),
        sliders.get(0).select(".layers span").eachText());
    List<String> confusion = Files.readAllLines(folder.resolve("confusion.csv"));
    assertEquals(1 + 3 * 11, confusion.size());
    assertTrue(confusion.get(12).startsWith("student alone,background,"), confusion.get(12));
    List<MetricsCsv.Row> rows = MetricsCsv.read(folder.resolve("metrics.csv"));
    // Four trainings: losses and an evaluation after steps 10 and 20 each.
    assertEquals(4 * (2 + 2), rows.size());
    String recipe = Files.readString(folder.resolve("recipe.yaml"));
    assertTrue(recipe.contains("temperature: 1\n") && recipe.contains("batch: 2,"), recipe);
    for (String name : new String[] {"alone-1", "alone-2", "distilled-1", "distilled-2"}) {
      assertEquals(
          0,
          Cli.run("evaluate", "--set", "data.test=2", "--weights", weights(folder, name)).status());
    }
  }

  /** Records of what TensorBoard reads: their lengths, and 16 bytes around each. */
  private static int events(Path folder, String training) throws IOException {
    Path file = folder.resolve("tensorboard/" + training + "/events.out.tfevents.structkd");
    ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int records = 0;
    while (in.hasRemaining()) {
      in.position(in.position() + 16 + (int) in.getLong(in.position()));
      records++;
    }
    return records;
  }

  @Test
  void aRunIsWrittenForTensorBoardAndGoesOnSo() throws IOException {
    Path folder = temp.resolve("run");
    Cli cli = Cli.distill(folder, "--tensorboard=true", "--seed=1");
    assertEquals(0, cli.status(), cli.err());
    for (String training : List.of("alone-1", "distilled-1")) {
      assertEquals(1 + 2 + 2, events(folder, training), training);
    }
    cli = Cli.run("distill", "--resume", folder, "--steps", 30);
    assertEquals(0, cli.status(), cli.err());
    for (String training : List.of("alone-1", "distilled-1")) {
      assertEquals(1 + 3 + 3, events(folder, training), training);
    }
    Path without = temp.resolve("without");
    assertEquals(0, Cli.distill(without).status());
    assertFalse(Files.exists(without.resolve("tensorboard")));
  }

  /** The file tells the shape, so that every command takes the smaller network. */
  @Test
  void aStudentWithPrunedChannelsIsANetworkLikeAnyOther() {
    Path folder = temp.resolve("pruned");
    String pruning = "train.pruning={kind: channels, target: 0.5, begin: 5, end: 15, every: 5}";
    Cli cli = Cli.distill(folder, "--set", pruning);
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.out().contains("student, not compressed"), cli.out());
    Path file = weights(folder, "distilled-1");
    Cli evaluated = Cli.run("evaluate", "--size", "--set", "data.test=2", "--weights", file);
    assertEquals(0, evaluated.status(), evaluated.err());
    String row =
        ".*" + file.getFileName() + " +([0-9,]+ +){5}[0-9]+\\.[0-9]{2} +[01]\\.[0-9]{4}\n.*";
    assertTrue(evaluated.out().matches("(?s)" + row), evaluated.out());
    Path mask = temp.resolve("mask.png");
    assertEquals(
        0, Cli.run("predict", "docs/images/scene.png", "--out", mask, "--weights", file).status());
    assertEquals(0, Cli.distill(temp.resolve("taught"), "--set", teacher(file)).status());
    Cli.run("evaluate", "--recipe", "ratings", "--weights", file)
        .refused(file + " does not fit recipe ratings: ");
  }

  /** Its answers are smaller than the labels. */
  @Test
  void aTeacherThatTheMetricDoesNotFitTeachesAllTheSame() {
    Path folder = temp.resolve("run");
    Cli cli =
        Cli.distill(
            folder,
            "--set",
            "teacher.adapted={size: {height: 32, width: 32}}",
            "--set",
            "losses.pixelwise.resize_teacher=true");
    assertEquals(0, cli.status(), cli.err());
    assertFalse(cli.out().contains("teacher: mIoU"), cli.out());
    assertTrue(cli.out().contains("gain by kd: "), cli.out());
  }

  @Test
  void bothStudentsStartFromTheSameWeights() throws IOException {
    // Without weight the terms teach nothing: what is left is the student alone.
    Path folder = temp.resolve("run");
    assertEquals(0, Cli.distill(folder, "--set", "losses.pixelwise.weight=0").status());
    byte[] alone = Files.readAllBytes(folder.resolve("alone-1.safetensors"));
    assertArrayEquals(alone, Files.readAllBytes(folder.resolve("distilled-1.safetensors")));
  }

  private static Path weights(Path folder, String name) {
    return folder.resolve(name + ".safetensors");
  }

  private static String teacher(Path file) {
    return "teacher={kind: file, file: " + file + "}";
  }

  @Test
  void aTeacherOfOnesOwnCanBeTrainedAndUsed() {
    Path folder = temp.resolve("teacher");
    Cli trained = Cli.distill(folder, "--recipe", "fashion-teacher", "--steps", 10);
    assertEquals(0, trained.status(), trained.err());
    assertTrue(trained.out().contains("student alone"), trained.out());
    assertFalse(trained.out().contains("gain"), trained.out());
    Cli cli = Cli.distill(temp.resolve("run"), "--set", teacher(weights(folder, "alone-1")));
    assertEquals(0, cli.status(), cli.err());
  }

  @ParameterizedTest
  @CsvSource({
    "--steps, 0, steps",
    "--steps, many, many",
    "--seeds, 0, must be 1 to 100",
    "--seeds, some, some",
    "--seed, 9223372036854775807, seed must be at most",
    "--set, data.batch=0, batch",
    "--set, data.labelled=-1, labelled",
    "--set, student.width=513, 1 to 512",
    "--set, train.optimizer.rate=0, rate",
    "--set, train.optimizer.rate=NaN, rate",
    "--set, data.test=0, test",
    "--set, train.stesp=5, steps",
    "--set, train.steps=5, --steps and --set train.steps say the same",
    "--set, losses.depth.weight=3, depth",
    "--set, losses.pixelwise.weight=-1, weight",
    "--loss, pairwize=1, pairwise",
    "--loss, pairwise:cirk=1, cirkd",
    "--threads, 0, must be 1 to 256",
    "--device, gpu, expected cpu",
    "--device, cuda, LibTorch finds no CUDA here",
    "--recipe, magic, magic",
    "--recipe, interclass, inter_class_similarity",
    "--loud, 1, --loud"
  })
  void impossibleOptionsAreNamed(String option, String value, String sentence) {
    Path folder = temp.resolve("run");
    Cli.distill(folder, option, value).refused(sentence);
    assertFalse(Files.exists(folder), "nothing is written for a command that makes no sense");
  }

  @ParameterizedTest
  @CsvSource({
    "--method, skd, --recipe NAME",
    "--weights, pixelwise=5, --set losses.TERM.weight=WEIGHT",
    "--labelled=128, , --set data.labelled=N",
    "--student-width, 6, --set student.width=N",
    "--learning-rate, 0.1, --set train.optimizer.rate=RATE",
    "--teacher, t.safetensors, --set 'teacher={kind: file"
  })
  void optionsOfEarlierVersionsAreRefusedWithTheNewSpelling(
      String option, String value, String spelling) {
    Cli cli = value == null ? Cli.run("distill", option) : Cli.run("distill", option, value);
    cli.refused(option.split("=")[0] + " is spelled otherwise now: " + spelling);
  }

  @ParameterizedTest
  @CsvSource({"train-teacher, distill --recipe fashion-teacher", "results, compare RECIPE..."})
  void commandsOfEarlierVersionsAreRefusedWithTheNewSpelling(String command, String spelling) {
    Cli.run(command, "--steps", 5).refused(command + " is spelled otherwise now: " + spelling);
  }

  @ParameterizedTest
  @CsvSource({
    "distill, kd, distill --recipe kd",
    "evaluate, kd, evaluate --recipe kd",
    "recipes, foo, recipes show foo"
  })
  void aRecipesNameAloneIsRefusedWithWhatToWrite(String command, String name, String meant) {
    Cli.run(command, name).refused(meant);
  }

  @Test
  void aLossCanBeAddedOnTheCommandLine() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, Cli.distill(folder, "--loss", "pairwise:cirkd=0.5").status());
    String header = Files.readAllLines(folder.resolve("metrics.csv")).get(0);
    assertTrue(header.contains(",pairwise,pixelwise,supervised,"), header);
    assertEquals(0, Cli.run("distill", "--resume", folder).status());
  }

  @Test
  void aFolderWithSomethingElseIsNotTouched() throws IOException {
    Files.writeString(temp.resolve("thesis.tex"), "precious");
    Cli.distill(temp).refused(temp + " is not empty");
    assertEquals("precious", Files.readString(temp.resolve("thesis.tex")));
  }

  @Test
  void aCheckpointInPlaceOfWeightsIsToldForWhatItIs() {
    Path folder = temp.resolve("run");
    assertEquals(0, Cli.distill(folder).status());
    Path checkpoint = folder.resolve("alone-1.checkpoint");
    Cli.run("evaluate", "--weights", checkpoint)
        .refused(
            checkpoint + ": expected weights of a network, found the checkpoint of a training");
    Cli.distill(temp.resolve("other"), "--set", teacher(checkpoint))
        .refused("the checkpoint of a training");
  }

  @Test
  void anEarlierRunIsNotOverwritten() {
    Path folder = temp.resolve("run");
    assertEquals(0, Cli.distill(folder).status());
    Cli.distill(folder).refused("holds a run already: --resume continues it");
  }

  @Test
  void aFolderThatCannotBeWrittenIsNamed() throws IOException {
    Path file = Files.createFile(temp.resolve("file"));
    Cli.distill(file.resolve("run")).refused(file.resolve("run").toString(), "cannot be made");
    Cli.distill(file).refused(file + " cannot be made", "there is a file of this name");
  }

  @ParameterizedTest
  @CsvSource({"nothing, a directory", "empty, neither", "foreign, expected"})
  void dataThatIsNotThereOrSomethingElseIsNamed(String kind, String part) throws IOException {
    Path data = temp.resolve("data");
    if (!kind.equals("nothing")) {
      Files.createDirectory(data);
    }
    if (kind.equals("foreign")) {
      for (String name :
          new String[] {
            "train-images-idx3-ubyte",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte"
          }) {
        Files.writeString(data.resolve(name), "these are not the images you are looking for");
      }
    }
    Cli.distill(temp.resolve("run"), "--set", "data.directory=" + data)
        .refused(data.toString(), part);
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
  }

  @ParameterizedTest
  @CsvSource({"missing, nothing of this name", "text, another format"})
  void aTeacherThatIsNoneIsNamed(String kind, String part) throws IOException {
    Path file = temp.resolve("teacher.safetensors");
    if (kind.equals("text")) {
      Files.writeString(file, "not weights at all");
    }
    Cli.distill(temp.resolve("run"), "--set", teacher(file)).refused(file.toString(), part);
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
  }

  @Test
  void aRateThatMovesNothingIsToldInASentence() {
    Cli.distill(temp.resolve("run"), "--set", "train.optimizer.rate=1e-30")
        .refused("alone-1: step 0 moved no weight", "1.0E-30");
  }

  @Test
  void aRunThatDivergesNamesTermStepAndScene() {
    Path folder = temp.resolve("run");
    Cli cli = Cli.distill(folder, "--set", "train.optimizer.rate=1e30");
    assertEquals(1, cli.status(), cli.out());
    assertTrue(
        cli.err().matches("(?s).*alone-1: term \"supervised\" is (NaN|Infinity) at step \\d+.*"),
        cli.err());
  }

  @Test
  void helpShowsDefaults() {
    for (String command : new String[] {"distill", "compare", "evaluate"}) {
      Cli cli = Cli.run(command, "--help");
      assertEquals(0, cli.status());
      assertTrue(cli.out().contains("Default: "), cli.out());
      assertFalse(cli.out().contains("${"), cli.out());
    }
  }

  @Test
  void completionIsGenerated() {
    Cli cli = Cli.run("generate-completion");
    assertEquals(0, cli.status());
    assertTrue(cli.out().contains("--resume-changed"), "distill's options");
  }
}
