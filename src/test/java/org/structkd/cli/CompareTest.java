package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What compare leaves, says and refuses. */
class CompareTest {
  @TempDir private Path temp;

  /** A small comparison, with some options beside. */
  private static Cli compare(Path folder, Object... more) {
    List<Object> arguments = new ArrayList<>(List.of("compare"));
    arguments.addAll(List.of(more));
    arguments.addAll(List.of("--steps=10", "--seeds=2", "--threads=1", "--out=" + folder));
    for (String value :
        List.of("data.batch=2", "data.test=20", "data.validation=10", "student.width=2")) {
      arguments.add("--set=" + value);
    }
    return Cli.run(arguments.toArray());
  }

  private static List<String> lines(Path file, String pattern) throws IOException {
    return Files.readAllLines(file).stream().filter(line -> line.matches(pattern)).toList();
  }

  @Test
  void weightsAreChosenOnValidationAndComparedOnTestExamples() throws IOException {
    Path folder = temp.resolve("run");
    Cli cli = compare(folder, "kd", "skd", "--search=losses.pairwise.weight=0.1,1");
    assertEquals(0, cli.status(), cli.err());
    Path scores = folder.resolve("scores.csv");
    assertTrue(
        Files.readAllLines(scores).get(0).startsWith("recipe,values,split,seed,miou,"), "columns");
    // kd has no pair-wise loss, and alone is without all of them: nothing to choose for these.
    assertEquals(2, lines(scores, "alone,\"\",validation,10[12],.*").size());
    assertEquals(2, lines(scores, "kd,\"\",validation,.*").size());
    for (String weight : List.of("0.1", "1")) {
      String rows = "skd,\"losses.pairwise.weight=" + weight + "\",validation,.*";
      assertEquals(2, lines(scores, rows).size());
    }
    for (String recipe : List.of("alone", "kd", "skd")) {
      assertEquals(2, lines(scores, recipe + ",\".*\",test,[12],.*").size(), recipe);
    }
    Path document = folder.resolve("comparison.md");
    String text = Files.readString(document);
    assertTrue(text.contains("./structkd compare kd skd \\\n  --search="), text);
    assertEquals(
        1,
        lines(
                document,
                "\\| skd \\| losses.pairwise.weight=[01.]+ \\| 0.* \\|"
                    + " [+-]0\\.\\d{4} ± 0\\.\\d{4} \\| alone \\| [012] of 2 \\|")
            .size(),
        text);
    assertEquals(
        1,
        lines(document, ".* \\| chosen \\|").stream().filter(l -> l.contains("skd")).count(),
        text);
    assertTrue(text.contains("ms per step"), text);
    assertTrue(ImageIO.read(folder.resolve("comparison.png").toFile()).getWidth() > 100);
    assertTrue(Files.exists(folder.resolve("recipe-kd.yaml")));
    Cli again = Cli.run("compare", "--resume", folder, "--document", temp.resolve("results.md"));
    assertEquals(0, again.status(), again.err());
    assertEquals(
        lines(document, "\\| (alone|kd|skd) \\| .* ± .*"),
        lines(temp.resolve("results.md"), "\\| (alone|kd|skd) \\| .* ± .*"));
    assertEquals(1, lines(document, "!\\[mIoU .*\\]\\(comparison\\.png\\)").size(), text);
    assertEquals(1, lines(temp.resolve("results.md"), "!.*\\]\\(results\\.png\\)").size());
    assertArrayEquals(
        Files.readAllBytes(folder.resolve("comparison.png")),
        Files.readAllBytes(temp.resolve("results.png")));
  }

  @ParameterizedTest
  @CsvSource({
    "kd, losses.pairwise.weight=1, has the value losses.pairwise.weight",
    "kd, losses.pixelwise.weight, is no search",
    "kd, 'losses.pixelwise.weight=1,', is no search",
    "kd, 'losses.pixelwise.weight=1,-1', weight",
    "magic, losses.pixelwise.weight=1, magic"
  })
  void impossibleSearchesAreNamed(String recipe, String search, String sentence) {
    Cli cli = compare(temp.resolve("run"), recipe, "--search=" + search);
    assertEquals(2, cli.status(), cli.out() + cli.err());
    assertTrue(cli.err().contains(sentence), cli.err());
    assertFalse(Files.exists(temp.resolve("run")));
  }

  @Test
  void recipesOfDifferentMetricsAreRefused() {
    Cli cli = Cli.run("compare", "kd", "ratings", "--out=" + temp.resolve("run"));
    assertEquals(2, cli.status(), cli.out());
    assertTrue(cli.err().contains("kd is judged by miou, but ratings by rmse"), cli.err());
    assertFalse(Files.exists(temp.resolve("run")), "a folder was made");
  }

  @Test
  void recipesOfOneNameAreRefused() {
    Cli cli = compare(temp.resolve("run"), "kd", "kd");
    assertEquals(2, cli.status());
    assertTrue(cli.err().contains("two of the recipes are called \"kd\""), cli.err());
    assertTrue(Cli.run("compare").err().contains("RECIPE"), "none is given");
  }

  @ParameterizedTest
  @CsvSource({"none/results.md, its folder is not there", "'', it is a folder"})
  void aDocumentThatCannotBeWrittenIsNamedFirst(String document, String part) {
    Path file = temp.resolve(document);
    Cli cli = compare(temp.resolve("run"), "kd", "--document=" + file);
    assertEquals(2, cli.status());
    assertTrue(cli.err().contains("--document: " + file + " cannot be written: " + part));
    assertFalse(Files.exists(temp.resolve("run")));
  }

  @ParameterizedTest
  @CsvSource({
    "results.png, results.png is where its picture goes",
    "taken.md, taken.png cannot be written: it is a folder"
  })
  void aDocumentWhosePictureCannotBeWrittenIsNamedFirst(String document, String sentence)
      throws IOException {
    Files.createDirectory(temp.resolve("taken.png"));
    Cli cli = compare(temp.resolve("run"), "kd", "--document=" + temp.resolve(document));
    assertEquals(2, cli.status());
    assertTrue(cli.err().contains(sentence), cli.err());
    assertFalse(Files.exists(temp.resolve("run")));
  }
}
