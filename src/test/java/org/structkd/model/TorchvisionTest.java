package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.internal.Words;
import org.structkd.testing.InScope;
import org.structkd.testing.Python;
import org.structkd.testing.Tensors;

/**
 * Our backbones compute what torchvision's do with the same weights. The interpreter is that of the
 * variable PYTHON, else python3.
 */
@InScope
class TorchvisionTest {
  /** Other versions of LibTorch add in another order. */
  private static final double ROUNDING = 1e-5;

  @TempDir private Path folder;

  @BeforeAll
  static void requirePackages() throws InterruptedException {
    assumeTrue(
        Python.has("f('torch') and f('torchvision') and f('safetensors')"),
        Python.INTERPRETER
            + " has no PyTorch with torchvision and safetensors; PYTHON names another interpreter");
  }

  @ParameterizedTest
  @EnumSource(BackboneNet.Backbone.class)
  void backbonesComputeWhatTorchvisionsDo(BackboneNet.Backbone backbone) throws Exception {
    List<String> parameters =
        Python.lines("torchvision_backbones.py", Words.of(backbone), folder.toString());
    BackboneNet.Config config =
        new BackboneNet.Config(3, backbone, BackboneNet.Head.CLASSIFIER, 1000);
    try (TensorFile weights = TensorFile.open(folder.resolve("weights.safetensors"));
        TensorFile expected = TensorFile.open(folder.resolve("expected.safetensors"));
        BackboneNet net = new BackboneNet(config, 1)) {
      net.loadBackbone(weights);
      assertEquals(
          Long.parseLong(parameters.get(parameters.size() - 1)),
          StateDict.parameterCount(net.module()));
      Map<String, Tensor> outputs = net.infer(expected.tensor("images"));
      for (String tap : expected.names()) {
        if (outputs.containsKey(tap)) {
          assertClose(expected.tensor(tap), outputs.get(tap), tap);
        }
      }
      if (expected.names().contains("dilated")) {
        try (BackboneNet dilated =
            new BackboneNet(new BackboneNet.Config(3, backbone, BackboneNet.Head.PSPNET, 2), 1)) {
          dilated.loadBackbone(weights);
          Tensor map = dilated.infer(expected.tensor("images")).get("stage4");
          assertClose(expected.tensor("dilated"), map, "dilated");
        }
      }
    }
  }

  /** The code of docs/backbones.md, with random weights instead of those that it would fetch. */
  @Test
  void whatThePageWritesIsLoaded() throws Exception {
    String page = Files.readString(Path.of("docs/backbones.md"));
    String code = page.split("```python\n", 2)[1].split("```", 2)[0];
    String random = code.replace("weights=\"DEFAULT\"", "weights=None");
    assertNotEquals(code, random);
    Process python =
        new ProcessBuilder(Python.INTERPRETER, "-c", random)
            .directory(folder.toFile())
            .inheritIO()
            .start();
    assertEquals(0, python.waitFor(), "the Python of the page failed");
    BackboneNet.Config config =
        new BackboneNet.Config(
            3, BackboneNet.Backbone.RESNET18, BackboneNet.Head.PSPNET, 1, 8, 128, 19);
    try (TensorFile weights = TensorFile.open(folder.resolve("resnet18.safetensors"));
        BackboneNet net = new BackboneNet(config, 1)) {
      assertEquals(List.of("fc.bias", "fc.weight"), net.loadBackbone(weights).unused());
    }
  }

  private static void assertClose(Tensor expected, Tensor actual, String tap) {
    assertArrayEquals(expected.shape(), actual.shape(), tap);
    double error = Tensors.relativeError(actual, expected);
    assertTrue(error < ROUNDING, () -> tap + " differs by " + error);
  }
}
