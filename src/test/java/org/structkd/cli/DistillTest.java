package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.train.MetricsCsv;
import picocli.CommandLine.Model.OptionSpec;

/** What distill and train-teacher leave, say and refuse. Signals are in {@link KillTest}. */
class DistillTest {
  @TempDir private Path temp;

  /** The smallest run that does everything, with some options set otherwise. */
  private static Cli distill(Path folder, Object... more) {
    Map<Object, Object> options = new LinkedHashMap<>();
    options.put("--steps", 20);
    options.put("--batch", 2);
    options.put("--student-width", 2);
    options.put("--seeds", 1);
    options.put("--test-scenes", 20);
    options.put("--threads", 1);
    options.put("--out", folder);
    for (int i = 0; i < more.length; i += 2) {
      options.put(more[i], more[i + 1]);
    }
    List<Object> arguments = new ArrayList<>(List.of("distill"));
    options.forEach((name, value) -> arguments.addAll(List.of(name, value)));
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
    Cli cli = distill(folder, "--method", "kd", "--seeds", 2);
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
          "style=\"background:#46f0f0\"></span>shirt</td><td>0.", // a class, its colour and IoU
          "<pre>./structkd distill --steps 20 ",
          "processor: ",
          "structkd: 0."
        }) {
      assertTrue(report.contains(part), part);
    }
    assertFalse(report.contains("http"), "the report must need no other file");
    List<MetricsCsv.Row> rows = MetricsCsv.read(folder.resolve("metrics.csv"));
    // Four trainings: losses and an evaluation after steps 10 and 20 each.
    assertEquals(4 * (2 + 2), rows.size());
    assertTrue(Files.readString(folder.resolve("config.json")).contains("\"pixelwise\": "));
    for (String name : new String[] {"alone-1", "alone-2", "distilled-1", "distilled-2"}) {
      assertEquals(
          0,
          Cli.run("evaluate", "--scenes", 2, "--weights", folder.resolve(name + ".safetensors"))
              .status());
    }
  }

  @Test
  void bothStudentsStartFromTheSameWeights() throws IOException {
    // Without weight the terms teach nothing: what is left is the student alone.
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--method", "kd", "--weights", "pixelwise=0").status());
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

  @Test
  void aTeacherOfOnesOwnCanBeTrainedAndUsed() {
    Path teacher = temp.resolve("teacher");
    Cli trained =
        Cli.run("train-teacher", "--steps", 5, "--width", 3, "--batch", 2, "--out", teacher);
    assertEquals(0, trained.status(), trained.err());
    assertTrue(trained.out().contains("teacher.safetensors"), trained.out());
    Cli cli = distill(temp.resolve("run"), "--teacher", teacher.resolve("teacher.safetensors"));
    assertEquals(0, cli.status(), cli.err());
  }

  @ParameterizedTest
  @CsvSource({
    "--steps, 0, must be 1 to",
    "--steps, many, many",
    "--seeds, 0, must be 1 to 100",
    "--batch, 0, must be 1 to",
    "--labelled, -1, must be 0 to",
    "--labelled, 65537, must be 0 to",
    "--student-width, 513, must be 1 to 512",
    "--learning-rate, 0, must be greater than 0",
    "--learning-rate, NaN, must be greater than 0",
    "--learning-rate, 1e38, must be at most 3.4",
    "--checkpoint-every, 0, must be 1 to",
    "--test-scenes, 0, must be 1 to",
    "--threads, 0, must be 1 to 256",
    "--device, gpu, expected cpu",
    "--device, cuda, LibTorch finds no CUDA here",
    "--method, magic, magic",
    "--weights, depth=3, 'has no term \"depth\"'",
    "--weights, pairwise=-1, pairwise",
    "--weights, pairwise, pairwise",
    "--loud, 1, --loud"
  })
  void impossibleOptionsAreNamed(String option, String value, String sentence) {
    Path folder = temp.resolve("run");
    refused(distill(folder, option, value), option, sentence);
    assertFalse(Files.exists(folder), "nothing is written for a command that makes no sense");
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
        distill(temp.resolve("other"), "--teacher", checkpoint), "the checkpoint of a training");
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
  }

  @Test
  void aRunInUseIsLeftAlone() throws IOException {
    Path folder = temp.resolve("run");
    try (RunFolder other = RunFolder.create(folder, "settings")) {
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
  @CsvSource({"'', empty", "{, ''", "{}, missing", "'{\"steps\": 5}', missing", "[1], ''"})
  void aDamagedConfigIsNamed(String text, String reason) throws IOException {
    Files.writeString(temp.resolve("config.json"), text);
    refused(
        Cli.run("distill", "--resume", temp),
        temp.resolve("config.json") + " holds no settings of this command",
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
        "supervised, pixelwise, pairwise");
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
    refused(distill(temp.resolve("run"), "--data", data), data.toString(), part);
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
    refused(
        Cli.run("train-teacher", "--data", data, "--out", temp.resolve("run")), data.toString());
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
  }

  @ParameterizedTest
  @CsvSource({"missing, nothing of this name", "text, another format"})
  void aTeacherThatIsNoneIsNamed(String kind, String part) throws IOException {
    Path file = temp.resolve("teacher.safetensors");
    if (kind.equals("text")) {
      Files.writeString(file, "not weights at all");
    }
    refused(distill(temp.resolve("run"), "--teacher", file), file.toString(), part);
    assertFalse(Files.exists(temp.resolve("run")), "so that the corrected command can have it");
  }

  @ParameterizedTest
  @CsvSource({"none/results.md, its folder is not writable", "'', it is a folder"})
  void resultsSayFirstThatTheirDocumentCannotBeWritten(String document, String part) {
    Path folder = temp.resolve("run");
    Path file = temp.resolve(document);
    refused(Cli.run("results", "--document", file, "--out", folder), "--document: " + file, part);
    assertFalse(Files.exists(folder));
  }

  @Test
  void aRunCanBecomeLonger() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--method", "kd").status());
    refused(Cli.run("distill", "--resume", folder, "--steps", 10), "--steps is 10", "has 20");
    Cli longer = Cli.run("distill", "--resume", folder, "--steps", 30);
    assertEquals(0, longer.status(), longer.err());
    List<MetricsCsv.Row> rows = MetricsCsv.read(folder.resolve("metrics.csv"));
    assertEquals(2 * (3 + 3), rows.size());
    assertEquals(30, rows.get(rows.size() - 1).step());
    Cli again = Cli.run("distill", "--resume", folder);
    assertEquals(0, again.status(), again.err());
    assertTrue(Files.readString(folder.resolve("config.json")).contains("\"steps\": 30"));
  }

  @Test
  void weightsThatDependOnTheLengthKeepARunFromBecomingLonger() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--method", "icsd").status());
    String settings = Files.readString(folder.resolve("config.json"));
    refused(
        Cli.run("distill", "--resume", folder, "--steps", 30),
        "the weights of icsd depend on the number of steps");
    assertEquals(settings, Files.readString(folder.resolve("config.json")));
  }

  @Test
  void aChangedRunGoesOnOnlyWhenItIsAskedTo() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--method", "kd").status());
    refused(
        Cli.run("distill", "--resume", folder, "--weights", "pixelwise=2"),
        "--weights cannot be given with --resume: the run goes on with the settings that it has;"
            + " add --resume-changed to change them");
    Cli changed =
        Cli.run(
            "distill",
            "--resume",
            folder,
            "--resume-changed",
            "--weights",
            "pixelwise=2",
            "--steps",
            30,
            "--batch",
            3);
    assertEquals(0, changed.status(), changed.err());
    String settings = Files.readString(folder.resolve("config.json"));
    assertTrue(settings.contains("\"pixelwise\": 2.0"), settings);
    assertTrue(settings.contains("\"batch\": 3"), settings);
    assertTrue(settings.contains("\"method\": \"KD\""), settings);
    refused(
        Cli.run("distill", "--resume", folder, "--resume-changed", "--student-width", 3),
        "--student-width cannot be given with --resume: the run goes on with the settings that it"
            + " has\n");
    refused(
        Cli.run("distill", "--resume", folder, "--resume-changed", "--method", "skd"),
        "--method cannot be given with --resume"); // its terms are other columns of the log
    assertEquals(settings, Files.readString(folder.resolve("config.json")));
  }

  @Test
  void everyOptionOfARunIsOneOfItsSettings() {
    Set<String> noSettings =
        Set.of("--out", "--resume", "--resume-changed", "--device", "--help", "--version");
    Map.of("distill", DistillSettings.class, "train-teacher", TrainTeacher.Settings.class)
        .forEach(
            (command, type) -> {
              Set<String> components =
                  Arrays.stream(type.getRecordComponents())
                      .map(component -> component.getName().toLowerCase(Locale.ROOT))
                      .collect(Collectors.toSet());
              for (OptionSpec option :
                  Main.commandLine().getSubcommands().get(command).getCommandSpec().options()) {
                String name = option.longestName();
                assertTrue(
                    noSettings.contains(name) || components.contains(name.replace("-", "")),
                    command + " " + name + " would be lost when a run continues");
              }
            });
  }

  @Test
  void aChangedRunTakesWeightsOfItsOwnMethod() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder, "--method", "inter_class_similarity").status());
    Cli changed =
        Cli.run(
            "distill",
            "--resume",
            folder,
            "--resume-changed",
            "--weights",
            "inter_class_similarity=1e-4",
            "--labelled",
            64);
    assertEquals(0, changed.status(), changed.err());
    String settings = Files.readString(folder.resolve("config.json"));
    assertTrue(settings.contains("\"inter_class_similarity\": 1.0E-4"), settings);
    assertTrue(settings.contains("\"labelled\": 64"), settings);
    refused(
        Cli.run("distill", "--resume", folder, "--resume-changed", "--batch", 130),
        "--labelled must be 65 to");
    assertEquals(settings, Files.readString(folder.resolve("config.json")));
  }

  @Test
  void anotherCommandLeavesARunAsItIs() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, distill(folder).status());
    String settings = Files.readString(folder.resolve("config.json"));
    refused(
        Cli.run("train-teacher", "--resume", folder, "--steps", 30),
        "holds no settings of this command");
    assertEquals(settings, Files.readString(folder.resolve("config.json")));
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
        distill(temp.resolve("run"), "--learning-rate", "1e-30"),
        "alone-1: step 0 moved no weight",
        "learning rate is 1.0E-30");
  }

  @Test
  void aRunThatDivergesNamesTermStepAndScene() {
    Path folder = temp.resolve("run");
    Cli cli = distill(folder, "--learning-rate", "1e30");
    assertEquals(1, cli.status(), cli.out());
    assertTrue(
        cli.err().matches("(?s).*alone-1: term \"supervised\" is (NaN|Infinity) at step \\d+.*"),
        cli.err());
  }

  @Test
  void helpShowsDefaults() {
    for (String command : new String[] {"distill", "train-teacher", "evaluate", "results"}) {
      Cli cli = Cli.run(command, "--help");
      assertEquals(0, cli.status());
      assertTrue(cli.out().contains("Default: "), cli.out());
      assertFalse(cli.out().contains("${"), cli.out());
    }
  }

  @Test
  void curvesHaveOneColourForEachCondition() {
    List<MetricsCsv.Row> rows = new ArrayList<>();
    for (String training : new String[] {"alone-1", "alone-2"}) {
      rows.add(new MetricsCsv.Row(training, 10, 1, 0.1));
      rows.add(new MetricsCsv.Row(training, 20, 0.5, 0.2));
    }
    int red = 0xffd55e00; // the first condition's
    int blue = 0xff0072b2; // the second one's
    assertTrue(colours(rows).contains(red));
    assertFalse(colours(rows).contains(blue), "two seeds of one condition");
    rows.add(new MetricsCsv.Row("distilled-1", 10, 1, 0.3));
    rows.add(new MetricsCsv.Row("distilled-1", 20, 1, 0.4));
    assertTrue(colours(rows).contains(blue));
  }

  private static Set<Integer> colours(List<MetricsCsv.Row> rows) {
    BufferedImage image = Curves.draw(rows);
    return Arrays.stream(
            image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth()))
        .boxed()
        .collect(Collectors.toSet());
  }

  @Test
  void optionsAreReadAndCompletedInLowerCase() {
    refused(distill(temp.resolve("run"), "--method", "magic"), "expected one of kd, pairwise,");
    assertEquals(0, distill(temp.resolve("run"), "--method", "Kd").status());
    String completion = Cli.run("generate-completion").out();
    assertTrue(completion.contains("\"skd\""), completion);
    assertFalse(completion.contains("\"SKD\""), completion);
  }

  @Test
  void completionIsGenerated() {
    Cli cli = Cli.run("generate-completion");
    assertEquals(0, cli.status());
    assertTrue(cli.out().contains("--student-width"), "distill's options");
  }
}
