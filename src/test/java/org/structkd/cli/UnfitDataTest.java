package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
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
import org.structkd.testing.ChildJvm;

/**
 * Data that are missing or do not fit their system: a sentence, before anything is trained or
 * written.
 */
class UnfitDataTest {
  @TempDir private Path temp;

  private List<Object> distill(String recipe, String... sets) {
    List<Object> arguments = new ArrayList<>(List.of("distill", "--recipe", recipe));
    for (String set : sets) {
      arguments.addAll(List.of("--set", set));
    }
    arguments.addAll(List.of("--out", temp.resolve("run")));
    return arguments;
  }

  private void refused(String sentence, List<Object> arguments) {
    Cli.run(arguments.toArray()).refused(sentence);
    assertFalse(Files.exists(temp.resolve("run")), "nothing is written");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          who,what,stars~ann,heat,5 | :1: expected the header user,item,rating or user,item,rating,timestamp, found "who,what,stars"
          user,item,rating,mood~ann,heat,5,good | :1: expected the header user,item,rating or user,item,rating,timestamp, found "user,item,rating,mood"
          user,item,rating~ann,, | :2: expected a rating, a finite number, found ""
          user,item,rating~ann,,3 | :2: expected the name of the item, found nothing
          user,item,rating~ann,heat,5~bob,heat,4 | : expected a user with 5 ratings or more, of which one is for the test, found 2 ratings by 2 users
          """)
  void ratings(String text, String sentence) throws IOException {
    Path file = Files.writeString(temp.resolve("ratings.csv"), text.replace('~', '\n'));
    refused(
        file + sentence, distill("recsys-teacher", "data={kind: rated_items, file: " + file + "}"));
  }

  @Test
  void tracksShorterThanTheHorizon() throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int frame = 0; frame < 100; frame++) {
      for (int person = 1; person <= 3; person++) {
        lines.append("%d %d %d %d\n".formatted(frame, person, frame, person));
      }
    }
    Path file = Files.writeString(temp.resolve("tracks.txt"), lines);
    refused(
        "tracks of 0 people last 20 steps of 0.4 s, expected at least 3 people; the longest lasts"
            + " 10: predict fewer steps, or make seconds less",
        distill(
            "trajectory-teacher",
            "data.source=tracks",
            "data.zone=[[0, 0], [1, 0], [1, 1]]",
            "data.file=" + file));
  }

  @Test
  void aBatchOfMoreUsersThanThereAre() {
    refused(
        "--set data.batch=500: batch is 500, expected 1 to 400, the number of users",
        distill("recsys-rd", "data.batch=500"));
  }

  /** The sentence names two numbers; which of them is meant says the option. */
  @Test
  void ofTwoNumbersTheGivenOneIsNamed() {
    refused(
        "--set student.nearest=0: student.nearest: depth net: nearest is 0.0 and farthest is 20.0",
        distill("depth-pseudo-label", "student.nearest=0"));
  }

  /** The teacher knows seven bands; without its own input it would see the student's three. */
  @Test
  void bandsOfAnotherCount() {
    refused(
        ": teacher: segmentation net: images are [16, 3, 32, 32], expected [B, 7, H, W]",
        distill("privileged-landsat", "teacher.inputs=null"));
  }

  /** In a process of its own, whose data are in a folder that holds nothing else. */
  private void refusedWith(Path cache, String sentence, List<Object> arguments)
      throws IOException, InterruptedException {
    Path said = temp.resolve("said");
    ProcessBuilder child =
        new ProcessBuilder(ChildJvm.command(Main.class, arguments))
            .redirectErrorStream(true)
            .redirectOutput(said.toFile());
    child.environment().put("XDG_CACHE_HOME", cache.toString());
    int status = child.start().waitFor();
    String all = Files.readString(said);
    assertEquals(2, status, all);
    assertTrue(all.contains(sentence), all);
    assertFalse(Files.exists(temp.resolve("run")), "nothing is written");
  }

  /** A recipe is what names the data first. */
  @Test
  void aMissingPackage() throws Exception {
    refusedWith(
        temp,
        temp.resolve("structkd/data/photos")
            + ": expected the data set photos, which ./structkd data photos fetches, found nothing",
        distill("sr-teacher", "data.source=photos"));
  }

  @Test
  void aPairOfViewsOfDifferentSizes() throws Exception {
    Path folder = Files.createDirectories(temp.resolve("structkd/data/motorcycle"));
    for (String view : List.of("left", "right")) {
      BufferedImage image = new BufferedImage(64, view.length() * 40, BufferedImage.TYPE_INT_RGB);
      ImageIO.write(image, "png", folder.resolve("motorcycle_" + view + ".png").toFile());
    }
    refusedWith(
        temp,
        folder.resolve("motorcycle_right.png")
            + ": expected 160 x 64 as the left view, found 200 x 64",
        distill("depth-teacher", "data.source=motorcycle"));
  }
}
