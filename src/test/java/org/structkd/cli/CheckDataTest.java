package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.ImageFolder;
import org.structkd.testing.ChildJvm;

/** A recipe on image files of one's own: its data are checked, and a student is trained. */
class CheckDataTest {
  @TempDir private Path folder;
  private Path recipe;

  @BeforeEach
  void writeRecipe() throws IOException {
    ImageFolder.pairs(
        folder.resolve("data"), 24, 32, IntStream.range(0, 12).mapToObj(i -> "p" + i).toList());
    recipe =
        Files.writeString(
            folder.resolve("mine.yaml"),
            """
            name: mine
            data:
              kind: image_files
              directory: %s
              layout: folder
              classes: [dark, bright]
              batch: 4
              augmentation:
                crop: {height: 16, width: 24}
                brightness: 0.2
              evaluated: {height: 24, width: 32}
            student: {kind: segmentation_net, width: 2}
            losses:
              supervised: {loss: cross_entropy, on: upsampled, weight: 1}
            train: {steps: 60, optimizer: {kind: adam, rate: 0.02}}
            metric: {kind: segmentation, on: upsampled}
            """
                .formatted(folder.resolve("data")));
  }

  @Test
  void wholeFilesAreCounted() {
    Cli cli = Cli.run("check-data", recipe.toString());
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.out().contains("train      10 photographs"), cli.out());
    assertTrue(cli.out().contains("sizes      24 x 32 to 24 x 32"), cli.out());
    assertTrue(cli.out().matches("(?s).*dark +50\\.000 +50\\.000 +50\\.000.*"), cli.out());
    assertTrue(cli.out().matches("(?s).*mean: \\[0\\.\\d{4}(, 0\\.\\d{4}){2}\\].*"), cli.out());
    assertTrue(cli.out().endsWith("all files are whole\n"), cli.out());
  }

  @Test
  void brokenFilesAreListed() throws IOException {
    Path broken = folder.resolve("data/images/p3.png");
    Files.write(broken, new byte[0]);
    Path wrong = folder.resolve("data/masks/p4.png");
    ImageFolder.mask(wrong, 24, 32, at -> 7);
    Cli cli = Cli.run("check-data", recipe.toString());
    assertEquals(1, cli.status(), cli.err());
    assertTrue(cli.out().contains(broken + ": expected a photograph, found 0 bytes"), cli.out());
    assertTrue(cli.out().contains(wrong + ": expected one of the values 0 to 1, 255, found 7"));
    assertTrue(cli.out().endsWith("2 are broken\n"), cli.out());
  }

  @Test
  void whatMakesNoSenseIsRefused() throws IOException {
    Cli.run("check-data", "kd").refused("kd has other data than image_files");
    Cli.run("check-data", recipe.toString(), "--set=data.classes=[]")
        .refused("classes is missing: masks of the layout folder mean what their owner says");
    Cli.run("check-data", recipe.toString(), "--set=data.labels={3: 2}")
        .refused("labels gives 3 the class 2, expected 0 to 1, or -1 for none");
    Cli.run("check-data", recipe.toString(), "--set=data.classes=[a, a]")
        .refused("classes has \"a\" twice, expected different names");
    Cli.run("check-data", recipe.toString(), "--set=data.labels={red: 1}")
        .refused(
            "a value of masks is \"red\", expected 0 to 65535 or a colour such as \"#804020\"");
    Cli.run("check-data", recipe.toString(), "--set=data.augmentation.smallest=3")
        .refused("smallest is 3.0 and largest is 2.0, expected 0 < smallest <= largest <= 100");
    Cli.run("check-data", recipe.toString(), "--set=data.deviation=[1, 0, 1]")
        .refused("deviation is [1.0, 0.0, 1.0], expected above 0");
    Cli.run("check-data", recipe.toString(), "--set=data.directory=" + folder.resolve("nowhere"))
        .refused(folder.resolve("nowhere/images") + ": expected a folder of images, found nothing");
  }

  /** Root may read everything, unless it gives that up, which a child process does. */
  private static List<String> withoutRootsPower() throws Exception {
    List<String> plain = List.of("env");
    List<String> dropped = List.of("setpriv", "--bounding-set=-dac_override,-dac_read_search");
    if (!"root".equals(System.getProperty("user.name"))) {
      return plain;
    }
    List<String> probe = new ArrayList<>(dropped);
    probe.add("true");
    try {
      assumeTrue(new ProcessBuilder(probe).start().waitFor() == 0, "root cannot give up its power");
    } catch (IOException e) {
      assumeTrue(false, "there is no setpriv, and root may read everything");
    }
    return dropped;
  }

  @Test
  void whatMayNotBeReadIsNamed() throws Exception {
    Path data = folder.resolve("data");
    for (String closed : List.of("images", "masks/p3.png", "")) {
      Path path = data.resolve(closed);
      Set<PosixFilePermission> before = Files.getPosixFilePermissions(path);
      List<String> command = new ArrayList<>(withoutRootsPower());
      command.addAll(ChildJvm.command(Main.class, List.of("check-data", recipe)));
      Files.setPosixFilePermissions(path, Set.of());
      try {
        Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(closed.contains(".") ? 1 : 2, child.waitFor(), said);
        String named = (closed.isEmpty() ? data.resolve("images") : path).toString();
        assertTrue(said.contains(named + ": expected "), said);
        assertTrue(said.contains(", found one that may not be read"), said);
        assertFalse(said.contains("\tat "), said);
      } finally {
        Files.setPosixFilePermissions(path, before);
      }
    }
  }

  @Test
  void aStudentLearnsThem() throws IOException {
    Path out = folder.resolve("run");
    Cli cli =
        Cli.run(
            "distill",
            "--recipe=" + recipe,
            "--seeds=1",
            "--threads=1",
            "--set=data.labels={0: 0, 1: 1, 255: -1}",
            "--out=" + out);
    assertEquals(0, cli.status(), cli.err());
    Cli evaluated =
        Cli.run(
            "evaluate", "--recipe=" + recipe, "--weights=" + out.resolve("alone-1.safetensors"));
    assertEquals(0, evaluated.status(), evaluated.err());
    Matcher miou = Pattern.compile("mIoU +(0\\.\\d+)").matcher(evaluated.out());
    assertTrue(miou.find() && Double.parseDouble(miou.group(1)) > 0.8, evaluated.out());
  }

  @Test
  void aBrokenFileEndsATrainingWithItsName() throws IOException {
    try (var images = Files.list(folder.resolve("data/images"))) {
      for (Path image : images.toList()) {
        Files.write(image, new byte[] {1, 2, 3});
      }
    }
    Cli cli =
        Cli.run(
            "distill",
            "--recipe=" + recipe,
            "--seeds=1",
            "--threads=1",
            "--out=" + folder.resolve("run"));
    assertEquals(2, cli.status(), cli.out());
    assertTrue(cli.err().contains("expected a photograph, found"), cli.err());
    assertTrue(!cli.err().contains("Exception"), cli.err());
  }
}
