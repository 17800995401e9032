package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.PackagedData;

/** What data lists, and what it does not know. */
class DataCommandTest {
  @TempDir private Path temp;

  @Test
  void allAreListedWithLicenceAndSize() {
    Cli cli = Cli.run("data");
    assertEquals(0, cli.status(), cli.err());
    for (PackagedData data : PackagedData.all()) {
      assertTrue(cli.out().contains(data.name() + ": " + data.summary()), cli.out());
      assertTrue(cli.out().contains("licence: " + data.licence()), cli.out());
      assertTrue(cli.out().contains("from " + data.source().title() + ", " + data.size()));
    }
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    Cli.run("data", "photo").refused("there is no data set \"photo\"", "did you mean \"photos\"?");
    Cli.run("data", "--from", "here").refused("--from goes with the name of a data set");
  }

  /** In a process of its own, which has no data, and where a recipe is what names them first. */
  @Test
  void aRecipeWithoutItsDataSaysWhatFetchesThem() throws Exception {
    Path out = temp.resolve("out");
    ProcessBuilder child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                Main.class.getName(),
                "recipes",
                "check",
                "sr-teacher",
                "--set=data.source=photos")
            .redirectErrorStream(true)
            .redirectOutput(out.toFile());
    child.environment().put("XDG_CACHE_HOME", temp.toString());
    assertEquals(2, child.start().waitFor(), () -> "see " + out);
    Path folder = temp.resolve("structkd").resolve("data").resolve("photos");
    String sentence =
        folder + ": expected the data set photos, which ./structkd data photos fetches";
    String said = Files.readString(out);
    assertTrue(said.contains(sentence), said);
  }
}
