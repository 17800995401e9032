package org.structkd.cli;

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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.recipe.Recipes;
import org.structkd.run.RunFolder;
import org.structkd.run.RunSettings;
import org.structkd.train.MetricsCsv;

/** {@code distill --resume}: what continues a run, and what may change in it. */
class ResumedRunTest {
  @TempDir private Path temp;

  @Test
  void aFinishedRunResumesToTheSameTable() {
    Path folder = temp.resolve("run");
    Cli first = Cli.distill(folder);
    Cli again = Cli.run("distill", "--resume", folder);
    assertEquals(0, again.status(), again.err());
    String table = first.out().substring(first.out().indexOf("parameters"));
    assertTrue(again.out().endsWith(table), again.out());
  }

  @Test
  void aRunInUseIsLeftAlone() throws IOException {
    Path folder = temp.resolve("run");
    RunSettings settings = new RunSettings("distill", List.of("kd"), 1, 1, 1, Map.of());
    try (RunFolder other = RunFolder.create(folder, settings, List.of(Recipes.load("kd")))) {
      Cli.run("distill", "--resume", folder).refused(folder + " is in use");
    }
  }

  @Test
  void resumeTakesTheSettingsOfTheRun() {
    Path folder = temp.resolve("run");
    Cli.run("distill", "--resume", folder).refused(folder + " holds no run");
    Cli.distill(folder, "--resume", folder).refused("cannot be given with --resume");
  }

  @ParameterizedTest
  @CsvSource({"'', ''", "{, ''", "{}, missing", "'steps: 5', missing", "[1], ''"})
  void damagedSettingsAreNamed(String text, String reason) throws IOException {
    Files.writeString(temp.resolve("run.yaml"), text);
    Cli.run("distill", "--resume", temp)
        .refused(temp.resolve("run.yaml") + " holds no settings of a run", reason);
  }

  @Test
  void aDamagedCheckpointStopsTheRunWithItsName() throws IOException {
    Path folder = temp.resolve("run");
    Cli.distill(folder);
    Path checkpoint = folder.resolve("alone-1.checkpoint");
    byte[] whole = Files.readAllBytes(checkpoint);
    Files.write(checkpoint, Arrays.copyOf(whole, whole.length / 2));
    Cli.run("distill", "--resume", folder).refused(checkpoint.toString(), "truncated");
  }

  @Test
  void aCheckpointOfAnotherStudentStopsTheRun() throws IOException {
    Path folder = temp.resolve("run");
    Cli.distill(folder);
    Files.copy(
        folder.resolve("distilled-1.checkpoint"),
        folder.resolve("alone-1.checkpoint"),
        StandardCopyOption.REPLACE_EXISTING);
    Cli.run("distill", "--resume", folder)
        .refused(folder.resolve("alone-1.checkpoint").toString(), "supervised, pixelwise");
  }

  @ParameterizedTest
  @CsvSource({"--steps, 30", "--set, train.steps=30"})
  void aRunCanBecomeLonger(String option, String value) throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, Cli.distill(folder).status());
    Cli.run("distill", "--resume", folder, "--steps", 10).refused("steps is 10", "has 20");
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
    assertEquals(0, Cli.distill(folder, "--recipe", "icsd").status());
    String recipe = Files.readString(folder.resolve("recipe.yaml"));
    Cli.run("distill", "--resume", folder, "--steps", 30).refused("depends on the number of steps");
    assertEquals(recipe, Files.readString(folder.resolve("recipe.yaml")));
  }

  @Test
  void aChangedRunGoesOnOnlyWhenItIsAskedTo() throws IOException {
    Path folder = temp.resolve("run");
    assertEquals(0, Cli.distill(folder).status());
    List<Object> resume = List.of("distill", "--resume", folder);
    run(resume, "--set", "losses.pixelwise.weight=2")
        .refused(
            "--set cannot be given with --resume: the run goes on with what it has; add"
                + " --resume-changed to change it");
    List<Object> change = List.of("distill", "--resume", folder, "--resume-changed");
    Cli changed =
        run(change, "--set", "losses.pixelwise.weight=2", "--set", "data.batch=3", "--steps", 30);
    assertEquals(0, changed.status(), changed.err());
    String recipe = Files.readString(folder.resolve("recipe.yaml"));
    assertTrue(recipe.contains("batch: 3,"), recipe);
    assertTrue(recipe.matches("(?s).*weight: 2(\\.0)?\\n.*"), recipe);
    run(change, "--set", "student.width=3").refused("student: ", "cannot change in a run");
    run(change, "--set", "losses.pixelwise=null").refused("columns of the log");
    run(change, "--recipe", "skd").refused("--recipe cannot be given with");
    run(change, "--set", "data.batch=100000").refused("batch");
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
    assertEquals(0, Cli.distill(folder).status());
    String settings = Files.readString(folder.resolve("run.yaml"));
    Cli.run("compare", "--resume", folder).refused("holds a run of the command distill");
    assertEquals(settings, Files.readString(folder.resolve("run.yaml")));
  }

  @Test
  void aStageThatOthersBeganFromCannotBecomeLonger() throws IOException {
    Path recipe = temp.resolve("staged.yaml");
    Files.writeString(
        recipe,
        """
        data: {kind: made_ratings, batch: 4}
        student: {kind: matrix_factorization, rank: 2}
        losses:
          ratings: {loss: regression, preset: to_ratings, on: rating, weight: 1}
        train: {steps: 2, optimizer: {kind: adam, rate: 0.01}}
        metric: {kind: rating, on: rating}
        stages: [{name: first, train: {steps: 2}}, {name: second, train: {steps: 2}}]
        """);
    Path folder = temp.resolve("run");
    assertEquals(
        0, Cli.run("distill", "--recipe", recipe, "--seeds", "1", "--out", folder).status());
    Cli.run("distill", "--resume", folder, "--set", "stages.0.train.steps=3")
        .refused("train.steps of the stage first: the run has 2, asked is 3");
    assertEquals(
        0, Cli.run("distill", "--resume", folder, "--set", "stages.1.train.steps=3").status());
  }

  @Test
  void aChangedRunIsNamed() {
    Cli.run("distill", "--resume-changed", "--out", temp.resolve("run"))
        .refused("--resume-changed goes with");
    assertFalse(Files.exists(temp.resolve("run")));
  }
}
