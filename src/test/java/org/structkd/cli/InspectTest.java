package org.structkd.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.ImageFolder;
import org.structkd.model.BackboneNet;
import org.structkd.model.BackboneNet.Backbone;
import org.structkd.model.BackboneNet.Head;
import org.structkd.model.BundledTeacher;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.testing.InScope;
import org.structkd.testing.ScriptFile;

/** Files of networks are told, and the recipe that comes of them makes sense. */
@InScope
class InspectTest {
  @TempDir private Path folder;

  private Path photographs() throws IOException {
    Path data = folder.resolve("data");
    return Files.exists(data)
        ? data
        : ImageFolder.pairs(data, 24, 32, IntStream.range(0, 10).mapToObj(i -> "p" + i).toList());
  }

  private Path network(Backbone backbone, Head head, int features) throws IOException {
    BackboneNet.Config config = new BackboneNet.Config(3, backbone, head, 0.125, 16, features, 2);
    try (BackboneNet net = new BackboneNet(config, 1)) {
      return Files.write(
          folder.resolve("net.safetensors"), net.toFile(Map.of("steps", "5")).toBytes());
    }
  }

  /** What inspect prints, which is a recipe that is checked with a smaller student. */
  private String checked(Path file, String... options) throws IOException {
    List<Object> arguments = new ArrayList<>(List.of("inspect", file, "--size", "24x32"));
    arguments.addAll(List.of("--data", photographs(), "--threads", 1));
    arguments.addAll(List.of(options));
    Cli cli = Cli.run(arguments.toArray());
    assertEquals(0, cli.status(), cli.err());
    Path recipe = Files.writeString(folder.resolve("mine.yaml"), cli.out());
    List<Object> check = new ArrayList<>(List.of("recipes", "check", recipe, "--threads", 1));
    if (cli.out().contains("image_files")) {
      check.addAll(List.of("--set", "data.batch=2", "--set", "data.validation=1"));
    }
    Cli checking = Cli.run(check.toArray());
    assertEquals(0, checking.status(), checking.err() + cli.out());
    return cli.out();
  }

  @Test
  void aNetworkOfARunIsToldAndBecomesTheTeacher() throws IOException {
    String told = checked(network(Backbone.MOBILENET_V2, Head.LRASPP, 8));
    assertTrue(
        told.contains("# holds       backbone net, backbone mobilenet_v2, channels 3"), told);
    assertTrue(told.matches("(?s).*# parameters +\\d+,\\d{3}\n.*"), told);
    assertTrue(told.contains("# input       images [1, 3, 24, 32]"), told);
    assertTrue(told.contains("logits       [1, 2, 3, 4]         class scores: pixelwise"), told);
    assertTrue(
        told.contains("upsampled    [1, 2, 24, 32]       class scores at the image's size"), told);
    assertTrue(told.contains("embeddings   [1, 40]              an embedding: relational"), told);
    assertTrue(told.contains("\nteacher: {kind: file, file: \""), told);
    assertTrue(told.contains("classes: [class0, class1]"), told);
    assertTrue(told.contains("pairwise: {loss: pairwise, preset: skd_cvpr19, on: features,"), told);
  }

  @Test
  void torchScriptIsToldByTheNamesOfItsOutputs() throws IOException {
    Path file = folder.resolve("teacher.pt");
    ScriptFile.write(
        file,
        "Tuple[Tensor, Tensor]",
        "(torch.cat([images, images], 1), torch.slice(images, 1, 0, 2, 1))");
    String told = checked(file);
    assertTrue(told.contains("# holds       TorchScript\n"), told);
    assertTrue(told.contains("0            [1, 6, 24, 32]       a map: pairwise"), told);
    assertTrue(told.contains("1            [1, 2, 24, 32]       class scores: pixelwise"), told);
    assertTrue(told.contains("on: {student: logits, teacher: \"1\"}"), told);
    assertTrue(told.contains("on: {student: features, teacher: \"0\"}"), told);
    assertFalse(told.contains("parameters"), told);
  }

  @Test
  void weightsOfABackboneAreFoundAndPretrainAStudent() throws IOException {
    Path file = folder.resolve("weights.safetensors");
    try (BackboneNet net =
        new BackboneNet(new BackboneNet.Config(3, Backbone.RESNET18, Head.CLASSIFIER, 7), 1)) {
      TensorFile.Builder theirs = TensorFile.builder();
      StateDict.parametersOf(net.module())
          .forEach((name, tensor) -> theirs.tensor(theirName(name), tensor));
      StateDict.buffersOf(net.module())
          .forEach((name, tensor) -> theirs.tensor(theirName(name), tensor));
      Files.write(file, theirs.build("theirs").toBytes());
    }
    String told = checked(file);
    assertTrue(told.contains("122 tensors without a network, weights of a resnet18"), told);
    assertTrue(told.contains("backbone: resnet18, head: pspnet, pretrained: \""), told);
  }

  private static String theirName(String name) {
    return name.replace("backbone.", "").replace("head.classifier.", "fc.");
  }

  @Test
  void bundledTeachersHaveDataOfThisLibrary() throws IOException {
    for (String name : List.of(BundledTeacher.FASHION, BundledTeacher.GARMENTS)) {
      Path file =
          Files.write(folder.resolve(name + ".safetensors"), BundledTeacher.file(name).toBytes());
      String told = checked(file);
      assertTrue(told.contains("images [1, 1, 24, 32]"), told);
      assertTrue(told.contains(name.equals("fashion") ? "fashion_scenes" : "kind: garments"), told);
    }
    Path ratings =
        Files.write(
            folder.resolve("ratings.safetensors"),
            BundledTeacher.file(BundledTeacher.RATINGS).toBytes());
    Cli cli = Cli.run("inspect", ratings);
    assertEquals(0, cli.status(), cli.err());
    assertTrue(cli.out().contains("# input       users\n"), cli.out());
    assertTrue(cli.out().endsWith("so there is no recipe to start from.\n"), cli.out());
  }

  @Test
  void whatIsNoNetworkIsRefused() throws IOException {
    Cli.run("inspect", folder.resolve("nowhere"))
        .refused("nowhere: expected a network, found nothing of this name");
    Path text = Files.writeString(folder.resolve("text.pt"), "hello");
    Cli.run("inspect", text)
        .refused("expected a TorchScript file, found a text that begins with \"hello\"");
    Path broken = network(Backbone.RESNET18, Head.LRASPP, 8);
    byte[] bytes = Files.readAllBytes(broken);
    bytes[bytes.length / 2] ^= 1;
    Files.write(broken, bytes);
    Cli.run("inspect", broken).refused("net.safetensors: expected ");
    Cli.run("inspect", text, "--size", "24").refused("--size is 24, expected HxW, such as 256x512");
    Cli.run("inspect", text, "--size", "0x24")
        .refused("--size: a size is 0 x 24, expected 1 x 1 or more");
    Path whole = network(Backbone.RESNET18, Head.LRASPP, 8);
    Cli.run("inspect", whole, "--channels", 4)
        .refused("images are [1, 4, 256, 256], expected [B, 3, H, W]: --size and --channels");
  }

  /** What LibTorch says of the image is not what to do. */
  @Test
  void torchScriptThatRefusesTheImageIsToldWhichOptionsChooseAnother() throws IOException {
    Path file = folder.resolve("teacher.pt");
    ScriptFile.write(file, "Tensor", "torch.view(images, [1, 3, 64])");
    Cli.run("inspect", file)
        .refused(
            "teacher.pt: expected a TorchScript file that takes images [1, 3, 256, 256], found ",
            ": --size and --channels choose others");
    Cli cli = Cli.run("inspect", file, "--size", "8x8");
    assertEquals(0, cli.status(), cli.err());
    ScriptFile.write(file, "int", "1");
    Cli none = Cli.run("inspect", file);
    assertEquals(2, none.status());
    assertFalse(none.err().contains("--size"), none.err());
  }

  @Test
  void withoutAFolderTheRecipeSaysWhatToGive() throws IOException {
    Path weights = network(Backbone.MOBILENET_V2, Head.LRASPP, 8);
    Cli cli = Cli.run("inspect", weights, "--size", "32x32");
    assertTrue(
        cli.out().contains("# Its directory is the current folder: give your folder"), cli.out());
    Cli given = Cli.run("inspect", weights, "--size", "32x32", "--data", folder);
    assertFalse(given.out().contains("current folder"), given.out());
    Path fashion =
        Files.write(
            folder.resolve("f.safetensors"), BundledTeacher.file(BundledTeacher.FASHION).toBytes());
    assertFalse(Cli.run("inspect", fashion, "--size", "32x32").out().contains("masks"));
  }
}
