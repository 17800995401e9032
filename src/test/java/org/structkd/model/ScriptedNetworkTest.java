package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.StructkdException;
import org.structkd.data.DataFileException;
import org.structkd.testing.ScriptFile;
import org.structkd.testing.Tensors;

class ScriptedNetworkTest {
  private static final Path RESOURCES = Path.of("src/test/resources/teachers");

  @TempDir private Path folder;
  private PointerScope scope;
  private Tensor images;

  @BeforeEach
  void open() {
    scope = new PointerScope();
    images = Tensors.gaussian(1, 2, 1, 8, 8).to(ScalarType.Float);
  }

  @AfterEach
  void close() {
    scope.close();
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
  void whatIsNoTeacherIsRefusedWithItsReason() throws IOException {
    Path file = folder.resolve("none.pt");
    assertTrue(refusal(file).contains("nothing of this name"));
    assertTrue(refusal(folder).contains("no file"));
    Files.writeString(file, "text");
    assertTrue(refusal(file).startsWith(file + ": expected a TorchScript file, found "));
    assertTrue(refusal(script("int", "1")).contains("a module that returns no tensor"));
    assertEquals(
        file.resolveSibling("teacher.pt")
            + ": expected a TorchScript file, found Dimension out of range (expected to be in range"
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
    assertEquals(
        "scripted network: images has been closed, or its PointerScope has ended",
        assertThrows(IllegalArgumentException.class, () -> network.infer(images)).getMessage());
  }

  @Test
  void tuplesAndListsAreTakenByIndexOrByGivenNames() throws IOException {
    Path file = script("Tuple[Tensor, Tensor]", "(torch.neg(images), images)");
    assertEquals(Set.of("0", "1"), ScriptedNetwork.load(file, images).taps());
    Map<String, Tensor> named =
        ScriptedNetwork.load(file, images, "logits", "features").infer(images);
    assertTrue(named.get("logits").equal(images.neg()));
    assertTrue(named.get("features").equal(images));
    Map<String, Tensor> chosen = ScriptedNetwork.load(file, images, "1").infer(images);
    assertEquals(Set.of("1"), chosen.keySet());
    assertTrue(chosen.get("1").equal(images));
    Path list = script("List[Tensor]", "[images, torch.neg(images)]");
    assertTrue(
        ScriptedNetwork.load(list, images, "a", "b").infer(images).get("b").equal(images.neg()));
  }

  @Test
  void nestedOutputsAreTakenByTheirPath() throws IOException {
    Path file =
        script(
            "Tuple[Tensor, Dict[str, List[Tensor]], int]",
            "(torch.neg(images), {\"aux\": [images]}, 3)");
    ScriptedNetwork network = ScriptedNetwork.load(file, images, "0", "1.aux.0");
    assertEquals(Set.of("0", "1.aux.0"), network.taps());
    assertTrue(network.infer(images).get("1.aux.0").equal(images));
  }

  @Test
  void outputsThatAreNotThereAreRefusedWithThoseThatAre() throws IOException {
    Path file = script("Tuple[Tensor, Tensor]", "(torch.neg(images), images)");
    for (String[] names : new String[][] {{"logits"}, {"a", "a"}, {"0", "0"}}) {
      assertThrows(IllegalArgumentException.class, () -> ScriptedNetwork.load(file, images, names));
    }
    Path dictionary = script("Dict[str, Tensor]", "{\"out\": images}");
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> ScriptedNetwork.load(dictionary, images, "logits"))
            .getMessage();
    assertTrue(message.contains("[logits]") && message.contains("[out]"), message);
  }

  @Test
  void whatLibTorchIsTooOldForIsNamed() throws IOException {
    assertTrue(
        refusal(script("Tensor", "torch.frobnicate(images)"))
            .contains("found the operator aten::frobnicate, which LibTorch 2.10 does not have"));
    assertTrue(
        refusal(script("Tensor", "torch.neg(3, images)"))
            .contains("a call of aten::neg with other arguments than LibTorch 2.10 knows"));
    assertTrue(
        Files.readString(Path.of("pom.xml"))
            .contains("<pytorch.version>" + ScriptError.LIBTORCH + "."));
  }

  @Test
  void aTraceThatKeepsItsDeviceIsToldFromABrokenOne() throws IOException {
    assumeFalse(torch.cuda_is_available(), "the device of the trace is here");
    String zeros = "torch.zeros([1], dtype=6, layout=0, device=torch.device(\"cuda:0\"))";
    String message = refusal(script("Tensor", "torch.add(images, " + zeros + ")"));
    assertTrue(message.contains("to the CPU before torch.jit.trace"), message);
  }

  /** Made by make-teachers.py with the newest PyTorch: each is what users take for TorchScript. */
  @ParameterizedTest
  @CsvSource({
    "state_dict.pt, weights without a network",
    "checkpoint.pt, weights without a network",
    "module.pt, a pickle of the Python class torch.nn.modules",
    "legacy.pt, 'a pickle, which torch.save wrote before PyTorch 1.6'",
    "export.pt2, a program of torch.export"
  })
  void otherFilesOfPyTorchAreRecognised(String file, String found) throws IOException {
    String message = refusal(RESOURCES.resolve(file));
    assertTrue(message.contains("found " + found), message);
    assertTrue(message.contains("torch.jit.trace(model.eval(), images)"), message);
  }

  @Test
  void damagedFilesAreRecognised() throws IOException {
    Path file = folder.resolve("cut.pt");
    Files.writeString(file, "");
    assertTrue(refusal(file).endsWith("found an empty file"));
    byte[] whole = Files.readAllBytes(RESOURCES.resolve("named.pt"));
    Files.write(file, Arrays.copyOf(whole, whole.length - 100));
    assertTrue(refusal(file).contains("found a damaged or cut-off zip archive"));
  }

  @Test
  void filesOfTheNewestPyTorchLoad() throws IOException {
    ScriptedNetwork named = ScriptedNetwork.load(RESOURCES.resolve("named.pt"), images);
    assertEquals(List.of("logits", "features"), List.copyOf(named.taps()));
    ScriptedNetwork frozen =
        ScriptedNetwork.load(RESOURCES.resolve("frozen.pt"), images, "logits", "features");
    assertArrayEquals(new long[] {2, 2, 8, 8}, frozen.infer(images).get("features").shape());
  }

  @Test
  void aFileSavedOnCudaComesToTheCpu() throws IOException {
    ScriptedNetwork network = ScriptedNetwork.load(RESOURCES.resolve("cuda.pt"), images);
    assertTrue(network.infer(images).get("logits").is_cpu());
  }

  private String refusal(Path file) {
    return assertThrows(DataFileException.class, () -> ScriptedNetwork.load(file, images))
        .getMessage();
  }
}
