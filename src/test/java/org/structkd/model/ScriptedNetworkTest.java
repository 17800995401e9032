package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.StructkdException;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.ScriptFile;
import org.structkd.testing.Tensors;

@InScope
class ScriptedNetworkTest {
  @TempDir private Path folder;
  private Tensor images;

  @BeforeEach
  void open() {
    images = Tensors.gaussian(1, 2, 1, 8, 8).to(ScalarType.Float);
  }

  private Path script(String returns, String expression) throws IOException {
    return ScriptFile.write(folder.resolve("teacher.pt"), returns, expression);
  }

  @Test
  void aDictionaryOfTensorsGivesTheTaps() throws IOException {
    Path file =
        script("Dict[str, Tensor]", "{\"logits\": torch.mul(images, 2), \"features\": images}");
    ScriptedNetwork network = ScriptedNetwork.load(file, images);
    assertEquals(Set.of("logits", "features"), network.taps());
    Map<String, Tensor> outputs = network.infer(images.set_requires_grad(true));
    assertTrue(outputs.get("features").equal(images));
    assertTrue(outputs.get("logits").equal(images.mul(new Scalar(2))));
    assertFalse(outputs.get("logits").requires_grad());
  }

  @Test
  void aSingleTensorIsTheLogits() throws IOException {
    ScriptedNetwork network = ScriptedNetwork.load(script("Tensor", "torch.neg(images)"), images);
    assertEquals(Set.of("logits"), network.taps());
    assertTrue(network.infer(images).get("logits").equal(images.neg()));
  }

  @Test
  void keysMayBeNumbersAndOneNameStandsForOneTensor() throws IOException {
    Path numbers = script("Dict[int, Tensor]", "{4: images, 8: torch.neg(images)}");
    assertEquals(Set.of("4", "8"), ScriptedNetwork.load(numbers, images).taps());
    Path twice =
        script(
            "Dict[str, Dict[str, Tensor]]", "{\"a.b\": {\"c\": images}, \"a\": {\"b.c\": images}}");
    refused(
        "scripted network: two outputs have the name a.b.c, the module returns a.b.c Float"
            + " [2, 1, 8, 8], a.b.c Float [2, 1, 8, 8]",
        () -> ScriptedNetwork.load(twice, images));
    Path fractions = script("Dict[float, Tensor]", "{0.5: images}");
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> ScriptedNetwork.load(fractions, images))
            .getMessage()
            .contains("keys are of the kind Double, expected strings or integers"));
  }

  @Test
  void whatIsNoTeacherIsRefusedWithItsReason() throws IOException {
    Path file = folder.resolve("none.pt");
    assertTrue(refusal(file).contains("nothing of this name"));
    assertTrue(refusal(folder).contains("no file"));
    Files.writeString(file, "text");
    assertTrue(refusal(file).startsWith(file + ": expected a TorchScript file, found "));
    assertTrue(refusal(script("int", "1")).contains("a module that returns no tensor but Int"));
    assertEquals(
        file.resolveSibling("teacher.pt")
            + ": expected a TorchScript file that takes images [2, 1, 8, 8], found Dimension out of range (expected to be in range"
            + " of [-4, 3], but got 9)",
        refusal(script("Tensor", "torch.select(images, 9, 0)")));
  }

  @Test
  void imagesThatItRefusesAreToldInASentence() throws IOException {
    Path file = script("Tensor", "torch.softmax(images, 1, None)");
    ScriptedNetwork network = ScriptedNetwork.load(file, images);
    StructkdException e =
        assertThrows(
            StructkdException.class,
            () -> network.infer(images.mul(new Scalar(9)).to(ScalarType.Byte)));
    assertTrue(
        e.getMessage().matches("LibTorch has no \\w*softmax\\w* for elements of the type Byte: .*"),
        e.getMessage());
    images.close();
    refused(
        "scripted network: images has been closed, or its PointerScope has ended",
        () -> network.infer(images));
  }

  private Path tracedWith(String name, float value) throws IOException {
    try (SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1)) {
      Map<String, Tensor> all = StateDict.tensorsOf(net.module());
      all.get(name).detach().flatten().select(0, 0).fill_(new Scalar(value));
      Tensor bytes = NetworkTrace.of(net, Map.of("images", images), "{}");
      byte[] copy = new byte[(int) bytes.numel()];
      new BytePointer(bytes.data_ptr()).capacity(copy.length).get(copy);
      return Files.write(folder.resolve("traced.pt"), copy);
    }
  }

  @Test
  void weightsThatAreNoNumbersAreNamed() throws IOException {
    for (float value : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      Path file = tracedWith("half_conv.weight", value);
      assertEquals(
          file
              + ": expected no NaN or infinite elements in parameter \"half_conv.weight\", found 1"
              + " of 18",
          refusal(file));
    }
    String buffer = "half_norm.running_var";
    assertTrue(
        refusal(tracedWith(buffer, Float.NaN))
            .contains("expected no NaN elements in buffer \"" + buffer + "\", found 1 of 2"));
    // As in masks of attention.
    ScriptedNetwork.load(tracedWith(buffer, Float.POSITIVE_INFINITY), images).close();
  }

  private String refusal(Path file) {
    return assertThrows(DataFileException.class, () -> ScriptedNetwork.load(file, images))
        .getMessage();
  }
}
