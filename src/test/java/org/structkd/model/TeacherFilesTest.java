package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Files as PyTorch writes them, made by make_teachers.py beside them. */
@InScope
class TeacherFilesTest {
  private static final Path FILES = Path.of("src/test/resources/teachers");

  @TempDir private Path folder;
  private Tensor images;

  @BeforeEach
  void open() {
    images = Tensors.gaussian(1, 2, 1, 4, 4).to(ScalarType.Float);
  }

  /** In all of them the features are x and 2 x, the logits x, 2 x and 3 x. */
  @ParameterizedTest
  @CsvSource({
    "tensor, logits,",
    "tuple, 0, 1",
    "list, 0, 1",
    "dictionary, logits, features",
    "frozen, logits, features",
    "cuda, logits, features",
    "named_tuple, logits, aux.features",
    "nested, main.logits, aux.features",
    "others, 0, 3.0"
  })
  void whatComesOutHasTheNamesOfTheModule(String file, String logits, String features)
      throws IOException {
    ScriptedNetwork network = load(file);
    assertEquals(
        features == null ? List.of(logits) : List.of(logits, features),
        List.copyOf(network.taps()),
        "in the module's order");
    Map<String, Tensor> outputs = network.infer(images);
    assertEquals(network.taps(), outputs.keySet());
    assertChannels(outputs.get(logits), 3);
    if (features != null) {
      assertChannels(outputs.get(features), 2);
    }
  }

  @Test
  void namesTakeThePlaceOfIndices() throws IOException {
    assertChannels(load("tensor", "out").infer(images).get("out"), 3);
    for (String file : new String[] {"tuple", "list"}) {
      Map<String, Tensor> outputs = load(file, "logits", "features").infer(images);
      assertChannels(outputs.get("logits"), 3);
      assertChannels(outputs.get("features"), 2);
    }
    assertEquals(Set.of("logits", "maps.0"), load("others", "logits", "maps").taps());
  }

  @Test
  void namesOfADictionaryChoose() throws IOException {
    Map<String, Tensor> chosen = load("dictionary", "features", "logits").infer(images);
    assertChannels(chosen.get("features"), 2);
    assertChannels(chosen.get("logits"), 3);
    assertEquals(Set.of("features"), load("dictionary", "features").taps());
    assertEquals(Set.of("logits"), load("named_tuple", "logits").taps());
    assertEquals(Set.of("aux.features"), load("named_tuple", "aux").taps());
    assertEquals(Set.of("aux.features"), load("nested", "aux.features").taps());
  }

  @Test
  void namesThatDoNotFitAreToldWithWhatCameOut() {
    assertEquals(
        "scripted network: expected a name for each output that has a tensor, got 1 (logits) for"
            + " 2, the module returns 0 Float [2, 3, 4, 4], 1 Float [2, 2, 4, 4]",
        wrongNames("tuple", "logits"));
    assertTrue(
        wrongNames("tensor", "logits", "features").contains("got 2 (logits, features) for 1"));
    assertTrue(
        wrongNames("others", "a", "b", "c")
            .endsWith("returns 0 Float [2, 3, 4, 4], 1 None, 2 Int, 3.0 Float [2, 2, 4, 4]"));
    assertEquals(
        "scripted network: no tensor has the name feature, the module, which names its outputs"
            + " itself, returns logits Float [2, 3, 4, 4], features Float [2, 2, 4, 4]",
        wrongNames("dictionary", "feature"));
    assertEquals(
        "scripted network: expected different names of taps, got a, a, a twice",
        wrongNames("tuple", "a", "a"));
    assertTrue(wrongNames("tuple", "a", " ").endsWith("one of them empty"));
  }

  @Test
  void aModuleWithoutATensorOrWithChangingOutputsIsRefused() throws IOException {
    assertRefused("nothing.pt", "a module that returns no tensor but 0 None, 1 Int");
    ScriptedNetwork network = load("forgets");
    assertEquals(Set.of("0", "1"), network.taps());
    IllegalStateException e =
        assertThrows(IllegalStateException.class, () -> network.infer(images.narrow(0, 0, 1)));
    assertTrue(e.getMessage().contains("returns [0], for the sample it returned"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "weights.pt | weights without the network (a state_dict): in Python, save",
        "weights_protocol4.pt | weights without the network (a state_dict): in Python, save",
        "weights_old.pt | weights without the network (a state_dict): in Python, save",
        "checkpoint.pt | a dictionary or another plain object that torch.save wrote",
        "whole.pt | a pickled __main__.ReturnsDictionary, which only Python can read: in Python",
        "images.pt | a tensor that torch.save wrote",
        "program.pt2 | a program of torch.export, which TorchScript does not read: in Python",
        "newer.pt | LibTorch 2.10.0 has no operator aten::softer_relu: save",
        "argument.pt | LibTorch 2.10.0 knows no such call of aten::relu: save",
        "custom.pt | the operator torchvision::relu belongs to a library that is not loaded here",
        "future.pt | an archive of version 99, LibTorch 2.10.0 reads up to 10: save",
        "names_device.pt | LibTorch finds no CUDA here",
        "make_teachers.py | a text that begins with \"\"\"\"Writes the small files"
      })
  void whatIsNoTorchScriptForThisLibTorchIsNamed(String file, String found) {
    assertRefused(file, found);
  }

  @Test
  void damagedFilesAreNamed() throws IOException {
    byte[] whole = Files.readAllBytes(FILES.resolve("dictionary.pt"));
    Path file = folder.resolve("teacher.pt");
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertFound(file, "a zip archive that is cut off or damaged: copy it again");
    Files.write(file, new byte[0]);
    assertFound(file, "an empty file");
    Files.write(file, new byte[] {0, 1, 2, 3});
    assertFound(file, "something else, which is no zip archive");
    String json = "{\"w\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}";
    Files.writeString(file, (char) json.length() + "\0\0\0\0\0\0\0" + json + "\0\0\0\0");
    assertFound(file, "weights in the safetensors format, without the network: in Python, save");
  }

  /**
   * LibTorch's device without memory stands for a GPU: weights that did not move are refused. A
   * frozen module's constants need a real one.
   */
  @Test
  void theNetworkMovesToAnotherDeviceAndBack() throws IOException {
    ScriptedNetwork network = load("scales");
    Device device = new Device("meta");
    network.to(device);
    Tensor there = images.to(device, ScalarType.Float);
    assertTrue(network.infer(there).get("logits").is_meta());
    network.to(new Device("cpu"));
    assertChannels(network.infer(images).get("logits"), 1);
  }

  private ScriptedNetwork load(String file, String... names) throws IOException {
    return ScriptedNetwork.load(FILES.resolve(file + ".pt"), images, names);
  }

  private String wrongNames(String file, String... names) {
    return assertThrows(IllegalArgumentException.class, () -> load(file, names)).getMessage();
  }

  private void assertRefused(String file, String found) {
    assertFound(FILES.resolve(file), found);
  }

  private void assertFound(Path file, String found) {
    String sentence =
        assertThrows(DataFileException.class, () -> ScriptedNetwork.load(file, images))
            .getMessage();
    String start = file + ": expected a TorchScript file, found " + found;
    assertTrue(sentence.startsWith(start), sentence);
    assertFalse(sentence.contains("\n"), sentence);
  }

  /** Channel c is (c + 1) times the image. */
  private void assertChannels(Tensor output, int channels) {
    assertEquals(channels, output.size(1));
    assertFalse(output.requires_grad());
    for (int c = 0; c < channels; c++) {
      assertTrue(output.narrow(1, c, 1).equal(images.mul(new Scalar(c + 1))), "channel " + c);
    }
  }
}
