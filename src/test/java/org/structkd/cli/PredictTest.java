package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What predict and evaluate make of good and bad input. */
class PredictTest {
  private static final Path SCENE = Path.of("docs/images/scene.png");

  @TempDir private Path temp;

  @Test
  void anImageBecomesAMaskOfItsSize() throws IOException {
    Path mask = temp.resolve("mask.png");
    Cli cli = Cli.run("predict", SCENE, "--out", mask);
    assertEquals(0, cli.status(), cli.err());
    BufferedImage image = ImageIO.read(mask.toFile());
    assertEquals(48, image.getWidth());
    assertEquals(48, image.getHeight());
    assertTrue(cli.out().matches("(?s).*background +[0-9.]+ %  #000000.*"), cli.out());
    assertTrue(cli.out().lines().count() > 3, "a scene has two garments or more: " + cli.out());
    // The corners of a scene are black, so are those of the mask.
    assertEquals(0xff000000, image.getRGB(0, 0));
  }

  @Test
  void theMaskGoesBesideTheImage() throws IOException {
    Path image = Files.copy(SCENE, temp.resolve("my.scene.png"));
    assertEquals(0, Cli.run("predict", image).status());
    assertTrue(Files.exists(temp.resolve("my.scene-mask.png")));
  }

  @ParameterizedTest
  @CsvSource({
    "48, 44, 10, 'height to be a multiple of 8 up to 4096, found 44'",
    "47, 48, 10, 'width to be a multiple of 8 up to 4096, found 47'",
    "48, 48, 1, 'grey of 8 bits per pixel, found colour of 24 bits'",
    "48, 48, 11, 'grey of 8 bits per pixel, found grey of 16 bits'",
    "48, 48, 13, 'grey of 8 bits per pixel, found colour of 8 bits'"
  })
  void imagesOfAnotherSizeOrDepthAreRefused(int width, int height, int type, String sentence)
      throws IOException {
    Path image = temp.resolve("image.png");
    ImageIO.write(new BufferedImage(width, height, type), "png", image.toFile());
    Cli.run("predict", image).refused(image.toString(), sentence);
    assertFalse(Files.exists(temp.resolve("image-mask.png")));
  }

  @Test
  void filesThatAreNoImagesAreRefused() throws IOException {
    Path image = temp.resolve("image.png");
    Cli.run("predict", image).refused(image.toString(), "nothing of this name");
    Cli.run("predict", temp).refused(temp.toString(), "no file");
    Files.writeString(image, "text");
    Cli.run("predict", image).refused(image.toString(), "another format");
    byte[] png = Files.readAllBytes(SCENE);
    Files.write(image, Arrays.copyOf(png, png.length / 2));
    Cli.run("predict", image).refused(image.toString(), "damaged");
  }

  @Test
  void aPlaceThatCannotBeWrittenIsNamed() {
    Path mask = temp.resolve("none/mask.png");
    Cli.run("predict", SCENE, "--out", mask)
        .refused("--out: " + mask + " cannot be written: its folder is not there");
    Cli.run("predict", SCENE, "--out", temp).refused(temp + " cannot be written: it is a folder");
  }

  @Test
  void theImageIsNotOverwritten() throws IOException {
    Path image = Files.copy(SCENE, temp.resolve("scene.png"));
    Cli.run("predict", image, "--out", image).refused("--out: " + image + " is the image");
    assertEquals(-1, Files.mismatch(SCENE, image));
  }

  @ParameterizedTest
  @CsvSource({"predict", "evaluate"})
  void weightsThatAreNoneAreRefused(String command) throws IOException {
    Path weights = temp.resolve("w");
    Files.writeString(weights, "STRUCTKD but no more");
    String[] arguments =
        command.equals("predict")
            ? new String[] {command, SCENE.toString(), "--weights", weights.toString()}
            : new String[] {command, "--weights", weights.toString()};
    Cli.run((Object[]) arguments).refused(weights.toString());
  }

  @Test
  void aRecipeWithoutATeacherNeedsWeights() {
    Cli.run("evaluate", "--recipe", "fashion-teacher").refused("has no teacher", "--weights");
  }

  /** The band that every training of the bundled teacher's settings reaches. */
  @Test
  void theBundledTeacherIsGood() {
    Cli cli = Cli.run("evaluate", "--set", "data.test=200");
    assertEquals(0, cli.status(), cli.err());
    String miou = cli.out().replaceAll("(?s).*mIoU (0\\.\\d+).*", "$1");
    assertEquals(0.57, Double.parseDouble(miou), 0.04, cli.out());
    assertTrue(cli.out().matches("(?s).*ankle boot +0\\.\\d{4}.*"), cli.out());
  }

  @ParameterizedTest
  @CsvSource({"--split, holdout", "--split, train", "--scenes, 50"})
  void impossibleOptionsAreNamed(String option, String value) {
    Cli.run("evaluate", option, value).refused(option);
  }
}
