package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** {@link ResNet} and {@link WideResNet}. */
@InScope
class ResidualNetworksTest {
  private static ResNet resnet(int depth, int width, long seed) {
    return new ResNet(new ResNet.Config(1, depth, width, 10), seed);
  }

  private static WideResNet wide(int depth, int widening, long seed) {
    return new WideResNet(new WideResNet.Config(1, depth, widening, 10), seed);
  }

  private static Tensor images(long batch, long height, long width) {
    return Tensors.gaussian(1, batch, 1, height, width).to(ScalarType.Float);
  }

  private static long parameters(TrainableNetwork net) {
    return StateDict.parameterCount(net.module());
  }

  /** He et al. 2016, table 6, in millions, for CIFAR-10. */
  @ParameterizedTest
  @CsvSource({"20, 0.27", "32, 0.46", "44, 0.66", "56, 0.85", "110, 1.7"})
  void resnetsHaveThePublishedNumberOfParameters(int depth, double millions) {
    try (ResNet net = new ResNet(new ResNet.Config(3, depth, 16, 10), 1)) {
      assertEquals(millions, parameters(net) / 1e6, millions < 1 ? 0.006 : 0.06);
    }
  }

  /** Zagoruyko and Komodakis 2016, tables 4 and 5, in millions, for CIFAR-10. */
  @ParameterizedTest
  @CsvSource({"40, 1, 0.6", "40, 2, 2.2", "16, 4, 2.8", "40, 4, 8.9"})
  void wideResnetsHaveThePublishedNumberOfParameters(int depth, int widening, double millions) {
    try (WideResNet net = new WideResNet(new WideResNet.Config(3, depth, widening, 10), 1)) {
      assertEquals(millions, parameters(net) / 1e6, 0.06);
    }
  }

  @Test
  void tapsHaveTheShapesThatAreDocumented() {
    assertShapes(resnet(8, 4, 1), 4);
    assertShapes(wide(10, 2, 1), 32);
  }

  private static void assertShapes(TrainableNetwork net, long width) {
    Map<String, Tensor> outputs = net.forward(images(2, 28, 15));
    assertEquals(net.taps(), outputs.keySet());
    assertArrayEquals(new long[] {2, width, 28, 15}, outputs.get("stage1").shape());
    assertArrayEquals(new long[] {2, 2 * width, 14, 8}, outputs.get("stage2").shape());
    assertArrayEquals(new long[] {2, 4 * width, 7, 4}, outputs.get("stage3").shape());
    assertArrayEquals(new long[] {2, 4 * width}, outputs.get("embeddings").shape());
    assertArrayEquals(new long[] {2, 10}, outputs.get("logits").shape());
    assertTrue(outputs.get("logits").requires_grad());
  }

  /** With convolutions of zeros a block hands on what its shortcut does. */
  @Test
  void theShortcutTakesEverySecondPositionAndAddsChannelsOfZeros() {
    try (ResNet net = resnet(8, 2, 1)) {
      StateDict.parametersOf(net.module())
          .forEach(
              (name, tensor) -> {
                if (name.contains("block") && name.endsWith("conv.weight")) {
                  tensor.detach().zero_();
                }
              });
      Map<String, Tensor> outputs = net.infer(images(1, 6, 5));
      Tensor before = outputs.get("stage1");
      Tensor behind = outputs.get("stage2");
      Tensor even = Tensor.create(new long[] {0, 2, 4});
      Tensor some = before.index_select(2, even).index_select(3, even);
      assertTrue(behind.narrow(1, 0, 2).equal(some));
      assertEquals(0, behind.narrow(1, 2, 2).abs().sum().item_double());
    }
  }

  @Test
  void equalSeedsGiveEqualWeightsAndEachLearns() {
    for (boolean isWide : new boolean[] {false, true}) {
      TrainableNetwork one = isWide ? wide(10, 1, 1) : resnet(8, 3, 1);
      TrainableNetwork same = isWide ? wide(10, 1, 1) : resnet(8, 3, 1);
      TrainableNetwork other = isWide ? wide(10, 1, 2) : resnet(8, 3, 2);
      assertEquals(one.fingerprint(), same.fingerprint());
      assertFalse(one.fingerprint().equals(other.fingerprint()));
      one.forward(images(2, 8, 8)).get("logits").square().sum().backward();
      StateDict.parametersOf(one.module())
          .forEach(
              (name, tensor) ->
                  assertTrue(tensor.grad().defined() && tensor.grad().numel() > 0, name));
    }
  }

  @Test
  void filesGiveTheSameNetworks() throws IOException {
    ResNet net = resnet(14, 3, 3);
    WideResNet wide = wide(10, 1, 3);
    Tensor images = images(1, 28, 28);
    try (TensorFile file = file(net);
        TensorFile ofWide = file(wide);
        ResNet copy = ResNet.of(file);
        WideResNet copyOfWide = WideResNet.of(ofWide)) {
      assertEquals(net.config(), copy.config());
      assertEquals(wide.config(), copyOfWide.config());
      assertFalse(copy.module().is_training());
      assertTrue(net.infer(images).get("logits").equal(copy.infer(images).get("logits")));
      assertTrue(wide.infer(images).get("logits").equal(copyOfWide.infer(images).get("logits")));
      assertThrows(DataFileException.class, () -> WideResNet.of(file));
    }
  }

  private static TensorFile file(TrainableNetwork net) throws IOException {
    return TensorFile.read(new ByteArrayInputStream(net.toFile(Map.of()).toBytes()), "it");
  }

  @Test
  void impossibleShapesAreRefusedInASentence() {
    refused(
        "resnet: depth is 18, expected 6 n + 2 for n blocks in each of three stages: 8, 14, 20 ...",
        () -> resnet(18, 4, 1));
    refused(
        "resnet: depth is 2, expected 6 n + 2 for n blocks in each of three stages: 8, 14, 20 ...",
        () -> resnet(2, 4, 1));
    refused(
        "wide resnet: depth is 8, expected 6 n + 4 for n blocks in each of three stages: 10, 16, 22"
            + " ...",
        () -> wide(8, 1, 1));
    refused("resnet: width is 0, expected 1 to 1024", () -> resnet(8, 0, 1));
    refused("wide resnet: widening is 1025, expected 1 to 1024", () -> wide(10, 1025, 1));
    refused(
        "resnet: depth 602 and 1024 channels of the first stage make 39636 million weights, expected"
            + " at most 268 million",
        () -> resnet(602, 1024, 1));
    refused(
        "resnet: channels and classes are 1 and 0, expected at least 1",
        () -> new ResNet.Config(1, 8, 4, 0));
    ResNet net = resnet(8, 2, 1);
    refused(
        "resnet: images are [1, 3, 28, 28], expected [B, 1, H, W]",
        () -> net.forward(torch.zeros(1, 3, 28, 28)));
    refused(
        "resnet: images are Byte, expected Float as the network's parameters: convert them with"
            + " to(...), bytes to 0 .. 1",
        () -> net.forward(torch.zeros(1, 1, 28, 28).to(ScalarType.Byte)));
    net.close();
    refused(
        IllegalStateException.class,
        "resnet: it has been closed, make a new one",
        () -> net.forward(torch.zeros(1, 1, 28, 28)));
  }
}
