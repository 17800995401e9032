package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.data.ImageFolder;
import org.structkd.model.BackboneNet;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.train.AtomicFile;

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

  /** A picture of any size is filled up for the network, and the mask is cut to it again. */
  @ParameterizedTest
  @CsvSource({"44, 47", "1, 1", "8, 100"})
  void picturesOfAnySizeBecomeMasksOfIt(int height, int width) throws IOException {
    Path image = temp.resolve("image.png");
    ImageIO.write(new BufferedImage(width, height, 10), "png", image.toFile());
    Cli cli = Cli.run("predict", image);
    assertEquals(0, cli.status(), cli.err());
    BufferedImage mask = ImageIO.read(temp.resolve("image-mask.png").toFile());
    assertEquals(height, mask.getHeight());
    assertEquals(width, mask.getWidth());
  }

  /**
   * A network of two classes that answers by the sum of normalised colours: 1 where it is above 0.
   */
  private Path colourNetwork(String recipe) throws IOException {
    Path file = temp.resolve("colours.safetensors");
    try (PointerScope temporaries = new PointerScope();
        SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(3, 1, 2), 1)) {
      for (String name : List.of("half", "quarter", "skip", "eighth", "bottom", "decoder")) {
        // The middle tap of each kernel passes the first channels on.
        Tensor kernel = net.module().named_parameters().get(name + "_conv.weight").data();
        kernel.zero_();
        for (int from = 0; from < (name.equals("half") ? 3 : 1); from++) {
          kernel.select(0, 0).select(0, from).select(0, 1).select(0, 1).fill_(new Scalar(1));
        }
        if (name.equals("decoder")) { // reads bottom first, then skip
          kernel.select(0, 0).select(0, 0).zero_();
          kernel.select(0, 0).select(0, 4).select(0, 1).select(0, 1).fill_(new Scalar(1));
        }
      }
      net.module()
          .named_parameters()
          .get("head.weight")
          .data()
          .zero_()
          .select(0, 1)
          .fill_(new Scalar(1));
      net.module()
          .named_parameters()
          .get("head.bias")
          .data()
          .zero_()
          .select(0, 0)
          .fill_(new Scalar(0.1));
      TensorFile weights = net.toFile(recipe.isEmpty() ? Map.of() : Map.of("recipe", recipe));
      AtomicFile.write(file, weights::write);
    }
    return file;
  }

  private static String photographs(String classes, String mean) {
    return """
    name: photographs
    data:
      {kind: image_files, directory: /nowhere, layout: folder, classes: %s, mean: %s, deviation: [0.5, 0.5, 0.5]}
    student: {kind: segmentation_net, width: 1}
    losses: {supervised: {loss: cross_entropy, on: upsampled, weight: 1}}
    train: {steps: 1, optimizer: {kind: adam, rate: 0.01}}
    metric: {kind: segmentation, on: upsampled}
    """
        .formatted(classes, mean);
  }

  /** Grey of 0.4 on the left and 0.8 on the right. */
  private Path greyShades() throws IOException {
    return ImageFolder.photograph(
        temp.resolve("shades.png"), 32, 64, (row, column) -> column < 32 ? 0x666666 : 0xcccccc);
  }

  /** Against a mean of 0.6 the left is below 0; without any mean nothing is. */
  @Test
  void coloursAreNormalisedAsInTheTraining() throws IOException {
    Path image = greyShades();
    Path mask = temp.resolve("mask.png");
    Path weights = colourNetwork(photographs("[low, high]", "[0.6, 0.6, 0.6]"));
    Cli cli = Cli.run("predict", image, "--weights", weights, "--out", mask);
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.out().contains("low ") && cli.out().contains("high "), cli.out());
    BufferedImage classes = ImageIO.read(mask.toFile());
    assertEquals(0xffe6194b, classes.getRGB(4, 16));
    assertEquals(0xff3cb44b, classes.getRGB(60, 16));
    assertEquals(0, classes.getRaster().getSample(4, 16, 0), "indices are the classes");
    assertEquals(1, classes.getRaster().getSample(60, 16, 0));
    cli = Cli.run("predict", image, "--weights", colourNetwork(""), "--out", mask);
    assertEquals(0, cli.status(), cli.err());
    assertFalse(cli.out().contains("class 0 "), cli.out());
    assertTrue(cli.out().matches("(?s)class 1 +100\\.0 %.*"), cli.out());
  }

  @Test
  void aNetworkThatDoesNotFitItsRecipeOrPicturesIsRefused() throws IOException {
    Path image = greyShades();
    Path three = colourNetwork(photographs("[a, b, c]", "[0.6, 0.6, 0.6]"));
    Cli.run("predict", image, "--weights", three)
        .refused(
            "3 channels and 3 classes, as the data of its recipe have, found 3 channels and 2");
    Path broken = colourNetwork("name: [");
    Cli.run("predict", image, "--weights", broken).refused(broken + ", its recipe");
    Path seven = temp.resolve("seven.safetensors");
    try (PointerScope temporaries = new PointerScope();
        SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(7, 1, 2), 1)) {
      AtomicFile.write(seven, net.toFile(Map.of())::write);
    }
    Cli.run("predict", image, "--weights", seven)
        .refused("expected a network of 1 or 3 channels, as pictures have, found 7 channels");
  }

  private Path backbone(BackboneNet.Head head) throws IOException {
    Path file = temp.resolve(head + ".safetensors");
    BackboneNet.Config config =
        new BackboneNet.Config(
            3, BackboneNet.Backbone.MOBILENET_V2, head, 0.25, 16, head.features(), 2);
    try (BackboneNet net = new BackboneNet(config, 1)) {
      AtomicFile.write(file, net.toFile(Map.of())::write);
    }
    return file;
  }

  @Test
  void everyNetworkThatTellsTheClassOfEveryPixelPredicts() throws IOException {
    Path image = greyShades();
    Path mask = temp.resolve("mask.png");
    Path weights = backbone(BackboneNet.Head.LRASPP);
    Cli cli = Cli.run("predict", image, "--weights", weights, "--out", mask, "--flip");
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.out().contains("class "), cli.out());
    assertEquals(64, ImageIO.read(mask.toFile()).getWidth());
    Cli.run("predict", image, "--weights", backbone(BackboneNet.Head.CLASSIFIER))
        .refused(
            "expected a network with the tap \"upsampled\", which tells the class of every pixel,"
                + " found a backbone net with ");
  }

  @Test
  void windowsScalesAndMirrorsAreLooks() throws IOException {
    Path mask = temp.resolve("mask.png");
    for (List<Object> looks :
        List.<List<Object>>of(
            List.of("--window", "48x48"),
            List.of("--window", "24x32", "--stride", "8x16", "--flip"),
            List.of("--scales", "0.75,1,1.5", "--flip"))) {
      List<Object> command = new ArrayList<>(List.of("predict", SCENE, "--out", mask));
      command.addAll(looks);
      Cli cli = Cli.run(command.toArray());
      assertEquals(0, cli.status(), cli.err());
      assertEquals(48, ImageIO.read(mask.toFile()).getHeight());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--window, 48, 'expected HEIGHTxWIDTH'",
    "--window, 20x24, 'H and W multiples of 8'",
    "--window, 0x24, 'a window is 0 x 24'",
    "--stride, 8x8, '--stride goes with --window'",
    "--scales, '1,-2', 'each above 0'"
  })
  void impossibleLooksAreRefused(String option, String value, String sentence) {
    Path mask = temp.resolve("mask.png");
    Cli.run("predict", SCENE, "--out", mask, option, value).refused(sentence);
    assertFalse(Files.exists(mask));
  }

  @ParameterizedTest
  @CsvSource({
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
    Cli.run("predict", image).refused(image + ": expected a photograph, found nothing");
    Cli.run("predict", temp, "--out", temp.resolve("mask.png"))
        .refused(temp + ": expected a photograph, found no file");
    Files.writeString(image, "text");
    Cli.run("predict", image).refused(image + ": expected a photograph, found no image");
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

  @Test
  void aTeacherThatTheMetricDoesNotFitIsRefused() {
    Cli.run(
            "evaluate",
            "--set",
            "teacher.adapted={size: {height: 32, width: 32}}",
            "--set",
            "losses.pixelwise.resize_teacher=true",
            "--set",
            "losses.pairwise.resize_teacher=true")
        .refused("teacher does not fit recipe skd: ", "[1, 11, 32, 32], expected [1, 11, 48, 48]");
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

  @Test
  void evaluationsLookAsTheyAreToldAndTellWhichClassesAreTakenForWhich() throws IOException {
    Path csv = temp.resolve("of-scenes.csv");
    Cli cli =
        Cli.run(
            List.of(
                    "evaluate",
                    "--set",
                    "data.test=4",
                    "--set",
                    "metric.window={height: 32, width: 32}",
                    "--set",
                    "metric.flip=true",
                    "--set",
                    "metric.boundary=0.02",
                    "--confusion",
                    csv)
                .toArray());
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.out().matches("(?s).*IoU of shirt +[0N].*"), cli.out());
    assertTrue(cli.out().matches("(?s).*boundary F of background +0\\.\\d{4}.*"), cli.out());
    assertTrue(cli.out().matches("(?s).*, boundary F 0\\.\\d{4}: teacher, 4 test.*"), cli.out());
    List<String> rows = Files.readAllLines(csv);
    assertEquals(1 + 11, rows.size());
    assertTrue(rows.get(0).startsWith("network,truth,background,t-shirt,"), rows.get(0));
    long pixels =
        rows.stream()
            .skip(1)
            .flatMap(row -> Arrays.stream(row.split(",")).skip(2))
            .mapToLong(Long::parseLong)
            .sum();
    assertEquals(4 * 48 * 48, pixels);
    assertTrue(ImageIO.read(temp.resolve("of-scenes.png").toFile()).getWidth() > 300);
  }

  @Test
  void aConfusionNeedsClassesAndAPlace() {
    Cli.run("evaluate", "--recipe", "ratings", "--confusion", temp.resolve("a.csv"))
        .refused("--confusion: the data of recipe ratings have no classes");
    Cli.run("evaluate", "--confusion", temp.resolve("none/a.csv"))
        .refused("--confusion: " + temp.resolve("none/a.csv") + " cannot be written");
    Cli.run("evaluate", "--confusion", temp.resolve("a.png"))
        .refused("a.png is where its picture goes, expected another ending, such as .csv");
  }

  @ParameterizedTest
  @CsvSource({"--split, holdout", "--split, train", "--scenes, 50"})
  void impossibleOptionsAreNamed(String option, String value) {
    Cli.run("evaluate", option, value).refused(option);
  }
}
