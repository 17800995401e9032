package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.recipe.Recipes;
import org.structkd.run.RunFolder;
import org.structkd.run.RunSettings;
import org.structkd.train.MetricsCsv;

/** What distill leaves, says and refuses. Signals are in {@link KillTest}. */
class DistillTest {
  @TempDir private Path temp;

  /** The smallest run that does everything, with some options set otherwise or added. */
  private static Cli distill(Path folder, Object... more) {
    List<Object> arguments = new ArrayList<>(List.of("distill", "--recipe", "kd"));
    arguments.addAll(List.of("--steps", 20, "--seeds", 1, "--threads", 1, "--out", folder));
    for (String value : List.of("data.batch=2", "data.test=20", "student.width=2")) {
      arguments.addAll(List.of("--set", value));
    }
    for (int i = 0; i < more.length; i += 2) {
      int given = arguments.indexOf(more[i]);
      if (given > 0 && !more[i].equals("--set")) {
        arguments.set(given + 1, more[i + 1]);
      } else {
        arguments.addAll(List.of(more[i], more[i + 1]));
      }
    }
    return Cli.run(arguments.toArray());
  }

  private void refused(Cli cli, String... parts) {
    assertEquals(2, cli.status(), cli.out() + cli.err());
    for (String part : parts) {
      assertTrue(cli.err().contains(part), cli.err());
    }
    assertFalse(cli.err().contains("\tat "), cli.err());
    String last = cli.err().strip().substring(cli.err().strip().lastIndexOf('\n') + 1);
    assertTrue(last.startsWith("structkd: "), "the sentence stands last: " + cli.err());
  }

  @Test
  void aRunEndsWithATableAndLeavesItsFolder() throws IOException {
    Path folder = temp.resolve("run");
    Cli cli = distill(folder, "--seeds", 2);
    assertEquals(0, cli.status(), cli.err());
    for (String row : new String[] {"teacher", "student alone", "student, kd"}) {
      assertTrue(cli.out().matches("(?s).*\n" + row + " +[0-9,]+ +0\\.[0-9]{4}.*"), cli.out());
    }
    assertTrue(cli.out().matches("(?s).*gain by kd: [+-]0\\.\\d{4} ± 0\\.\\d{4}.*"), cli.out());
    assertTrue(cli.out().contains(folder.resolve("report.html").toString()), cli.out());
    for (String name : new String[] {"samples.png", "curves.png"}) {
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

  @Test
  void bothStudentsStartFromTheSameWeights() throws IOException {
    // Without weight the terms teach nothing: what is left is the student alone.
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--set", "losses.pixelwise.weight=0").status());
    byte[] alone = Files.readAllBytes(folder.resolve("alone-1.safetensors"));
    assertArrayEquals(alone, Files.readAllBytes(folder.resolve("distilled-1.safetensors")));
  }

  @Test
  void aFinishedRunResumesToTheSameTable() {
    Path folder = temp.resolve("run");
    Cli first = distill(folder);
    Cli again = Cli.run("distill", "--resume", folder);
    assertEquals(0, again.status(), again.err());
    String table = first.out().substring(first.out().indexOf("parameters"));
    assertTrue(again.out().endsWith(table), again.out());
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
    Cli trained = distill(folder, "--recipe", "fashion_teacher", "--steps", 10);
    assertEquals(0, trained.status(), trained.err());
    assertTrue(trained.out().contains("student alone"), trained.out());
    assertFalse(trained.out().contains("gain"), trained.out());
    Cli cli = distill(temp.resolve("run"), "--set", teacher(weights(folder, "alone-1")));
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
    refused(distill(folder, option, value), sentence);
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
    refused(cli, option.split("=")[0] + " is spelled otherwise now: " + spelling);
  }

  @ParameterizedTest
  @CsvSource({"train-teacher, distill --recipe fashion_teacher", "results, compare RECIPE..."})
  void commandsOfEarlierVersionsAreRefusedWithTheNewSpelling(String command, String spelling) {
    refused(Cli.run(command, "--steps", 5), command + " is spelled otherwise now: " + spelling);
  }

  @ParameterizedTest
  @CsvSource({
    "distill, kd, distill --recipe kd",
    "evaluate, kd, evaluate --recipe kd",
    "recipes, foo, recipes show foo"
  })
  void aRecipesNameAloneIsRefusedWithWhatToWrite(String command, String name, String meant) {
    refused(Cli.run(command, name), meant);
  }

  @Test
  void aLossCanBeAddedOnTheCommandLine() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--loss", "pairwise:cirkd=0.5").status());
    String header = Files.readAllLines(folder.resolve("metrics.csv")).get(0);
    assertTrue(header.contains(",pairwise,pixelwise,supervised,"), header);
    assertEquals(0, Cli.run("distill", "--resume", folder).status());
  }

  @Test
  void aFolderWithSomethingElseIsNotTouched() throws IOException {
    Files.writeString(temp.resolve("thesis.tex"), "precious");
    refused(distill(temp), temp + " is not empty");
    assertEquals("precious", Files.readString(temp.resolve("thesis.tex")));
  }

  @Test
  void aCheckpointInPlaceOfWeightsIsToldForWhatItIs() {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder).status());
    Path checkpoint = folder.resolve("alone-1.checkpoint");
    refused(
        Cli.run("evaluate", "--weights", checkpoint),
        checkpoint + ": expected weights of a network, found the checkpoint of a training");
    refused(
        distill(temp.resolve("other"), "--set", teacher(checkpoint)),
        "the checkpoint of a training");
  }

  @Test
  void anEarlierRunIsNotOverwritten() {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder).status());
    refused(distill(folder), "holds a run already: --resume continues it");
  }

  @Test
  void aFolderThatCannotBeWrittenIsNamed() throws IOException {
    Path file = Files.createFile(temp.resolve("file"));
    refused(distill(file.resolve("run")), file.resolve("run").toString(), "cannot be made");
    refused(distill(file), file + " cannot be made", "there is a file of this name");
  }

  @Test
  void aRunInUseIsLeftAlone() throws IOException {
    Path folder = temp.resolve("run");
    RunSettings settings = new RunSettings("distill", List.of("kd"), 1, 1, 1, Map.of());
    try (RunFolder other = RunFolder.create(folder, settings, List.of(Recipes.load("kd")))) {
      refused(Cli.run("distill", "--resume", folder), folder + " is in use");
    }
  }

  @Test
  void resumeTakesTheSettingsOfTheRun() {
    Path folder = temp.resolve("run");
    refused(Cli.run("distill", "--resume", folder), folder + " holds no run");
    refused(distill(folder, "--resume", folder), "cannot be given with --resume");
  }

  @ParameterizedTest
  @CsvSource({"'', ''", "{, ''", "{}, missing", "'steps: 5', missing", "[1], ''"})
  void damagedSettingsAreNamed(String text, String reason) throws IOException {
    Files.writeString(temp.resolve("run.yaml"), text);
    refused(
        Cli.run("distill", "--resume", temp),
        temp.resolve("run.yaml") + " holds no settings of a run",
        reason);
  }

  @Test
  void aDamagedCheckpointStopsTheRunWithItsName() throws IOException {
    Path folder = temp.resolve("run");
    distill(folder);
    Path checkpoint = folder.resolve("alone-1.checkpoint");
    byte[] whole = Files.readAllBytes(checkpoint);
    Files.write(checkpoint, Arrays.copyOf(whole, whole.length / 2));
    refused(Cli.run("distill", "--resume", folder), checkpoint.toString(), "truncated");
  }

  @Test
  void aCheckpointOfAnotherStudentStopsTheRun() throws IOException {
    Path folder = temp.resolve("run");
    distill(folder);
    Files.copy(
        folder.resolve("distilled-1.checkpoint"),
        folder.resolve("alone-1.checkpoint"),
        StandardCopyOption.REPLACE_EXISTING);
    refused(
        Cli.run("distill", "--resume", folder),
        folder.resolve("alone-1.checkpoint").toString(),
        "supervised, pixelwise");
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
    refused(distill(temp.resolve("run"), "--set", "data.directory=" + data), data.toString(), part);
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
  }

  @ParameterizedTest
  @CsvSource({"missing, nothing of this name", "text, another format"})
  void aTeacherThatIsNoneIsNamed(String kind, String part) throws IOException {
    Path file = temp.resolve("teacher.safetensors");
    if (kind.equals("text")) {
      Files.writeString(file, "not weights at all");
    }
    refused(distill(temp.resolve("run"), "--set", teacher(file)), file.toString(), part);
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
  }

  @ParameterizedTest
  @CsvSource({"--steps, 30", "--set, train.steps=30"})
  void aRunCanBecomeLonger(String option, String value) throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder).status());
    refused(Cli.run("distill", "--resume", folder, "--steps", 10), "steps is 10", "has 20");
    Cli longer = Cli.run("distill", "--resume", folder, option, value);
    assertEquals(0, longer.status(), longer.err());
    List<MetricsCsv.Row> rows = MetricsCsv.read(folder.resolve("metrics.csv"));
    assertEquals(2 * (3 + 3), rows.size());
    assertEquals(30, rows.get(rows.size() - 1).step());
    Cli again = Cli.run("distill", "--resume", folder);
    assertEquals(0, again.status(), again.err());
    assertTrue(Files.readString(folder.resolve("recipe.yaml")).contains("steps: 30\n"));
  }

  @Test
  void weightsThatDependOnTheLengthKeepARunFromBecomingLonger() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--recipe", "icsd").status());
    String recipe = Files.readString(folder.resolve("recipe.yaml"));
    refused(
        Cli.run("distill", "--resume", folder, "--steps", 30), "depends on the number of steps");
    assertEquals(recipe, Files.readString(folder.resolve("recipe.yaml")));
  }

  @Test
  void aChangedRunGoesOnOnlyWhenItIsAskedTo() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder).status());
    List<Object> resume = List.of("distill", "--resume", folder);
    refused(
        run(resume, "--set", "losses.pixelwise.weight=2"),
        "--set cannot be given with --resume: the run goes on with what it has; add"
            + " --resume-changed to change it");
    List<Object> change = List.of("distill", "--resume", folder, "--resume-changed");
    Cli changed =
        run(change, "--set", "losses.pixelwise.weight=2", "--set", "data.batch=3", "--steps", 30);
    assertEquals(0, changed.status(), changed.err());
    String recipe = Files.readString(folder.resolve("recipe.yaml"));
    assertTrue(recipe.contains("batch: 3,"), recipe);
    assertTrue(recipe.matches("(?s).*weight: 2(\\.0)?\\n.*"), recipe);
    refused(run(change, "--set", "student.width=3"), "student: ", "cannot change in a run");
    refused(run(change, "--set", "losses.pixelwise=null"), "columns of the log");
    refused(run(change, "--recipe", "skd"), "--recipe cannot be given with");
    refused(run(change, "--set", "data.batch=100000"), "batch");
    assertEquals(recipe, Files.readString(folder.resolve("recipe.yaml")));
  }

  private static Cli run(List<Object> arguments, Object... more) {
    List<Object> all = new ArrayList<>(arguments);
    all.addAll(List.of(more));
    return Cli.run(all.toArray());
  }

  @Test
  void anotherCommandLeavesARunAsItIs() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder).status());
    String settings = Files.readString(folder.resolve("run.yaml"));
    refused(Cli.run("compare", "--resume", folder), "holds a run of the command distill");
    assertEquals(settings, Files.readString(folder.resolve("run.yaml")));
  }

  @Test
  void aChangedRunIsNamed() {
    refused(
        Cli.run("distill", "--resume-changed", "--out", temp.resolve("run")),
        "--resume-changed goes with");
    assertFalse(Files.exists(temp.resolve("run")));
  }

  @Test
  void aRateThatMovesNothingIsToldInASentence() {
    refused(
        distill(temp.resolve("run"), "--set", "train.optimizer.rate=1e-30"),
        "alone-1: step 0 moved no weight",
        "1.0E-30");
  }

  @Test
  void aRunThatDivergesNamesTermStepAndScene() {
    Path folder = temp.resolve("run");
    Cli cli = distill(folder, "--set", "train.optimizer.rate=1e30");
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
