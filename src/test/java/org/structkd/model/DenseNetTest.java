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
import org.structkd.compress.Quantization;
import org.structkd.compress.QuantizedFile;
import org.structkd.compress.QuantizedLayers;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Shapes, taps, files and the quantised form of {@link DenseNet}. */
@InScope
class DenseNetTest {
  private static DenseNet small(long seed) {
    return new DenseNet(new DenseNet.Config(1, 4, 13, 3, 0.5, 10), seed);
  }

  private static Tensor images(long batch, long height, long width) {
    return Tensors.gaussian(1, batch, 1, height, width).to(ScalarType.Float);
  }

  /** Huang et al. 2017, table 2: DenseNet-BC of three blocks, in millions, for CIFAR-10. */
  @ParameterizedTest
  @CsvSource({"100, 12, 0.8", "250, 24, 15.3"})
  void theyHaveThePublishedNumberOfParameters(int depth, int growth, double millions) {
    try (DenseNet net = new DenseNet(new DenseNet.Config(3, 3, depth, growth, 0.5, 10), 1)) {
      long parameters = StateDict.parameterCount(net.module());
      assertEquals(millions, parameters / 1e6, 0.06);
    }
  }

  /** 6 channels at first, one layer of 3 in each block, of whose channels half stay. */
  @Test
  void tapsHaveTheShapesThatAreDocumented() {
    DenseNet net = small(1);
    Map<String, Tensor> outputs = net.forward(images(2, 28, 15));
    assertEquals(net.taps(), outputs.keySet());
    assertArrayEquals(new long[] {2, 9, 28, 15}, outputs.get("transition1_norm").shape());
    assertArrayEquals(new long[] {2, 7, 14, 8}, outputs.get("transition2_norm").shape());
    assertArrayEquals(new long[] {2, 6, 7, 4}, outputs.get("transition3_norm").shape());
    assertArrayEquals(new long[] {2, 6, 4, 2}, outputs.get("last_norm").shape());
    assertArrayEquals(new long[] {2, 6}, outputs.get("embeddings").shape());
    assertArrayEquals(new long[] {2, 10}, outputs.get("logits").shape());
    Map<String, Tensor> point = net.infer(images(2, 1, 1));
    assertArrayEquals(new long[] {2, 6, 1, 1}, point.get("last_norm").shape());
  }

  /** Behind the normalisation and in front of the ReLU, which embeddings are the mean of. */
  @Test
  void tapsAreNormalisedAndNotYetCut() {
    Map<String, Tensor> outputs = small(1).forward(images(4, 8, 8)); // with statistics of the batch
    for (String tap : new String[] {"transition1_norm", "last_norm"}) {
      Tensor map = outputs.get(tap).detach();
      assertTrue(map.min().item_double() < 0, tap);
      assertTrue(map.mean(0, 2, 3).abs().max().item_double() < 1e-4, tap);
    }
    Tensor mean = torch.relu(outputs.get("last_norm")).mean(2, 3);
    assertTrue(mean.equal(outputs.get("embeddings")));
  }

  @Test
  void equalSeedsGiveEqualWeightsAndEachLearns() {
    DenseNet net = small(1);
    assertEquals(net.fingerprint(), small(1).fingerprint());
    assertFalse(net.fingerprint().equals(small(2).fingerprint()));
    net.forward(images(2, 8, 8)).get("logits").square().sum().backward();
    StateDict.parametersOf(net.module())
        .forEach((name, tensor) -> assertTrue(tensor.grad().defined(), name));
  }

  @Test
  void filesGiveTheSameNetwork() throws IOException {
    DenseNet net = new DenseNet(new DenseNet.Config(1, 2, 7, 3, 0.3, 5), 3);
    try (TensorFile file = file(net);
        TrainableNetwork copy = NetworkFile.network(file)) {
      assertEquals(net.config(), ((DenseNet) copy).config());
      Tensor images = images(1, 9, 9);
      assertTrue(net.infer(images).get("logits").equal(copy.infer(images).get("logits")));
      assertThrows(DataFileException.class, () -> ResNet.of(file));
    }
  }

  private static TensorFile file(TrainableNetwork net) throws IOException {
    return TensorFile.read(new ByteArrayInputStream(net.toFile(Map.of()).toBytes()), "it");
  }

  private static QuantizedLayers quantized(DenseNet net) {
    QuantizedLayers layers = new QuantizedLayers(new Quantization.Int8(), net);
    layers.addRanges();
    layers.before(0);
    net.module().train(true);
    return layers;
  }

  /** The first convolution, two of each of four layers, three transitions. */
  @Test
  void allConvolutionsRoundAndStatisticsRestMeanwhile() throws IOException {
    DenseNet net = small(1);
    net.forward(images(4, 16, 16)); // statistics that are not 0 and 1
    Tensor statistics = StateDict.buffersOf(net.module()).get("last_norm.running_mean").clone();
    Tensor floats = net.infer(images(4, 16, 16)).get("logits");
    QuantizedLayers layers = quantized(net);
    assertEquals(12, layers.layers().size());
    Tensor trained = net.forward(images(4, 16, 16)).get("logits");
    layers.close();
    net.module().eval();
    Tensor inferred = net.infer(images(4, 16, 16)).get("logits");
    assertTrue(trained.equal(inferred));
    double error = Tensors.relativeError(inferred, floats);
    assertTrue(error > 0 && error < 0.1, () -> "error " + error);
    assertTrue(statistics.equal(StateDict.buffersOf(net.module()).get("last_norm.running_mean")));
    try (TensorFile file = file(net);
        TrainableNetwork copy = NetworkFile.network(file)) {
      assertTrue(inferred.equal(copy.infer(images(4, 16, 16)).get("logits")));
    }
  }

  /** What is computed from the stored numbers of a layer is what the layer computes. */
  @Test
  void aNormalisationInFrontStaysAFloatBesideEightBits() throws IOException {
    DenseNet net = small(1);
    QuantizedLayers layers = quantized(net);
    net.forward(images(4, 16, 16));
    layers.close();
    TensorFile stored = QuantizedFile.of(net, Map.of());
    assertEquals(ScalarType.Char, stored.tensor("transition1_conv.weight").scalar_type().intern());
    assertTrue(stored.names().contains("transition1_norm.running_var"));
    assertEquals(0, stored.tensor("transition1_conv.bias").abs().sum().item_double());
    ConvolutionLayer layer = layers.layers().get(3);
    assertEquals("transition1_conv", layer.name());
    Tensor scale = stored.tensor("transition1_conv.weight_scale").view(-1, 1, 1, 1);
    Tensor weight = stored.tensor("transition1_conv.weight").to(ScalarType.Float).mul(scale);
    assertTrue(Tensors.relativeError(weight, layer.roundedWeight()) < 1e-6);
  }

  @Test
  void impossibleShapesAreRefusedInASentence() {
    refused(
        "densenet: depth is 14, expected 8 n + 5 for n layers in each of 4 blocks: 13, 21, 29 ...",
        () -> new DenseNet.Config(1, 4, 14, 3, 0.5, 10));
    refused(
        "densenet: depth is 4, expected 6 n + 4 for n layers in each of 3 blocks: 10, 16, 22 ...",
        () -> new DenseNet.Config(1, 3, 4, 3, 0.5, 10));
    refused(
        "densenet: blocks is 9, expected 1 to 8", () -> new DenseNet.Config(1, 9, 13, 3, 0.5, 10));
    refused(
        "densenet: growth is 0, expected 1 to 1024",
        () -> new DenseNet.Config(1, 4, 13, 0, 0.5, 10));
    refused(
        "densenet: compression is 0.0, expected a share greater than 0, at most 1",
        () -> new DenseNet.Config(1, 4, 13, 3, 0, 10));
    refused(
        "densenet: depth 805 and growth 1024 make 502490 million weights, expected at most 268 million",
        () -> new DenseNet.Config(1, 4, 805, 1024, 1, 10));
    refused(
        "densenet: images are [1, 3, 28, 28], expected [B, 1, H, W]",
        () -> small(1).forward(torch.zeros(1, 3, 28, 28)));
  }
}
