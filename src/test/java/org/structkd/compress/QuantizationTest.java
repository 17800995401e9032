package org.structkd.compress;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Schedule;
import org.structkd.testing.InScope;
import org.structkd.testing.SmallTrainings;
import org.structkd.testing.Tensors;
import org.structkd.train.Distiller;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingConfig;

@InScope
class QuantizationTest {
  private static final Quantization.Int8 AT_ONCE = new Quantization.Int8();

  private SegmentationNet net;

  @BeforeEach
  void open() {
    net = SmallTrainings.net(3, 1);
  }

  @AfterEach
  void close() {
    net.close();
  }

  private static Objective objective() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
  }

  /** {@return the losses of all steps} */
  private List<Double> train(TrainingConfig config) throws IOException {
    List<Double> losses = new ArrayList<>();
    new Distiller(config, objective(), SceneBatches.of(FashionScenes.bundled(), 4))
        .withListener(SmallTrainings.onStep(loss -> losses.add(loss.value())))
        .train(net);
    return losses;
  }

  private static TrainingConfig quantized(long steps, Quantization quantization) {
    return TrainingConfig.of(steps, 0.01).withQuantization(quantization);
  }

  private static Tensor images() {
    return Tensors.gaussian(1, 2, 1, 16, 16).to(ScalarType.Float);
  }

  private static Tensor logits(SegmentationNet of) {
    return of.infer(images()).get("logits");
  }

  @Test
  void aTrainingLowersTheLossAndLeavesAQuantizedNetwork() throws IOException {
    List<Double> losses = train(quantized(40, AT_ONCE));
    double begin = losses.subList(0, 5).stream().mapToDouble(loss -> loss).average().orElseThrow();
    double end = losses.subList(35, 40).stream().mapToDouble(loss -> loss).average().orElseThrow();
    assertTrue(end < 0.9 * begin, begin + " became " + end);
    assertTrue(net.convolutions().stream().allMatch(ConvolutionLayer::isQuantized));
  }

  /** Batches are normalised by themselves until then, and not after. */
  @Test
  void itBeginsWhenItIsTold() throws IOException {
    List<Double> floats = train(TrainingConfig.of(6, 0.01));
    open();
    List<Double> late = train(quantized(6, new Quantization.Int8(4)));
    assertEquals(floats.subList(0, 4), late.subList(0, 4));
    assertFalse(floats.subList(4, 6).equals(late.subList(4, 6)));
    Tensor counted = StateDict.buffersOf(net.module()).get("skip_norm.num_batches_tracked");
    assertEquals(4, counted.item_long());
  }

  /** A listener ends the training after two steps, before the third one would begin it. */
  @Test
  void aTrainingThatEndsBeforeItBeginsLeavesAFloatNetwork() throws IOException {
    train(TrainingConfig.of(2, 0.01).withSchedule(new Schedule.Constant(0)));
    double[] expected = Tensors.values(logits(net));
    net.close();
    open();
    StopSignal stop = new StopSignal();
    new Distiller(
            quantized(9, new Quantization.Int8(2)).withSchedule(new Schedule.Constant(0)),
            objective(),
            SceneBatches.of(FashionScenes.bundled(), 4))
        .withStop(stop)
        .withListener(SmallTrainings.atStep(1, stop::request))
        .train(net);
    assertArrayEquals(expected, Tensors.values(logits(net)));
    try (SegmentationNet copy = SegmentationNet.of(net.toFile(Map.of()))) {
      assertArrayEquals(expected, Tensors.values(logits(copy)));
    }
  }

  @Test
  void aFileGivesTheSameQuantizedNetwork() throws IOException {
    train(quantized(4, new Quantization.Int8(1, 0.1, List.of("half_conv."))));
    try (SegmentationNet copy = SegmentationNet.of(net.toFile(Map.of()))) {
      assertTrue(torch.equal(logits(net), logits(copy)));
      assertFalse(copy.convolutions().get(0).isQuantized(), "excluded");
      assertTrue(copy.convolutions().get(1).isQuantized());
      assertEquals(net.fingerprint(), copy.fingerprint());
      TensorFile.Builder floats = TensorFile.builder(); // the same weights without ranges
      net.shape().forEach(floats::property);
      StateDict.parametersOf(net.module()).forEach(floats::tensor);
      StateDict.buffersOf(net.module())
          .forEach(
              (name, buffer) -> {
                if (!name.endsWith("_range")) {
                  floats.tensor(name, buffer);
                }
              });
      try (SegmentationNet other = SegmentationNet.of(floats.build("it"))) {
        assertFalse(torch.equal(logits(net), logits(other)), "rounding changes something");
        assertTrue(Tensors.relativeError(logits(net), logits(other)) < 0.3);
      }
    }
  }

  @Test
  void prunedWeightsStayExactlyZero() throws IOException {
    train(TrainingConfig.of(3, 0.01).withPruning(new Pruning.Magnitude(0.6, 1, 2)));
    List<Tensor> pruned = new ArrayList<>();
    StateDict.parametersOf(net.module()).values().stream()
        .filter(weight -> weight.dim() > 1)
        .forEach(weight -> pruned.add(weight.detach().eq(new Scalar(0))));
    train(quantized(3, AT_ONCE).withPruning(new Pruning.Kept()));
    List<ConvolutionLayer> layers = net.convolutions();
    for (int i = 0; i < layers.size(); i++) {
      Tensor codes = layers.get(i).quantized().weight();
      assertEquals(0, codes.masked_select(pruned.get(i)).ne(new Scalar(0)).sum().item_long());
      assertTrue(pruned.get(i).sum().item_long() >= Math.round(0.6 * codes.numel()) - 1);
      assertTrue(codes.ne(new Scalar(0)).any().item_bool());
    }
  }

  /** Weights of the file, times their scales, in plain Java. */
  @Test
  void aQuantizedFileHasTheWeightsThatTheNetworkComputesWith() throws IOException {
    train(quantized(4, new Quantization.Int8(0, 0.01, List.of("head."))));
    TensorFile file = QuantizedFile.of(net, Map.of("note", "x"));
    assertEquals("int8", file.property("quantization"));
    assertEquals("x", file.property("note"));
    Set<String> names = file.names();
    assertTrue(names.contains("head.weight") && names.contains("head.bias"), "as they are");
    assertFalse(names.contains("head.weight_scale"));
    assertTrue(names.stream().noneMatch(name -> name.contains("norm")), names::toString);
    assertEquals(6 * 5 + 2, names.size());
    for (ConvolutionLayer layer : net.convolutions().subList(0, 6)) {
      Tensor codes = file.tensor(layer.name() + ".weight");
      assertEquals(ScalarType.Char, codes.scalar_type().intern());
      double[] scales = Tensors.values(file.tensor(layer.name() + ".weight_scale"));
      double[] dequantized = Tensors.values(codes);
      for (int i = 0; i < dequantized.length; i++) {
        float scale = (float) scales[i / (dequantized.length / scales.length)];
        dequantized[i] = (float) dequantized[i] * scale;
      }
      assertArrayEquals(dequantized, Tensors.values(layer.roundedWeight()), layer.name());
      assertEquals(
          ScalarType.Byte, file.tensor(layer.name() + ".input_zero_point").scalar_type().intern());
      assertTrue(file.tensor(layer.name() + ".input_scale").item_float() > 0);
    }
    int floats = net.toFile(Map.of()).toBytes().length;
    assertTrue(file.toBytes().length < floats, "smaller");
  }

  @Test
  void aNetworkAfterItsTrainingObservesNoMore() throws IOException {
    train(quantized(2, AT_ONCE));
    byte[] before = SmallTrainings.bytes(net);
    net.module().train(true);
    net.forward(images().mul(new Scalar(100)));
    assertArrayEquals(before, SmallTrainings.bytes(net), "statistics stay, too");
  }

  @Test
  void checksBeforeATrainingChangeNothing() throws IOException {
    byte[] before = SmallTrainings.bytes(net);
    new Distiller(quantized(2, AT_ONCE), objective(), SceneBatches.of(FashionScenes.bundled(), 2))
        .requireFit(net);
    assertArrayEquals(before, SmallTrainings.bytes(net));
  }

  @Test
  void impossibleSettingsAreRefused() {
    refused("quantization: begin is -1, expected 0 or more", () -> new Quantization.Int8(-1));
    for (double rate : new double[] {0, -1, 1.5, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused(
          "quantization: rate is " + rate + ", expected a share greater than 0, at most 1",
          () -> new Quantization.Int8(0, rate, List.of()));
    }
    refused(
        "quantization begins after 8 steps, expected less than those of the training, 8",
        () -> TrainingConfig.of(8, 0.1).withQuantization(new Quantization.Int8(8)));
    refused(
        "quantization: no weight begins with the excluded \"haed.\", there are: "
            + "bottom_conv.weight, decoder_conv.weight, eighth_conv.weight, half_conv.weight, "
            + "head.weight, quarter_conv.weight, skip_conv.weight",
        () -> train(quantized(2, new Quantization.Int8(0, 0.01, List.of("haed.")))));
    refused(
        "quantization: no layer of the network is quantised, train it with a quantization",
        () -> QuantizedFile.of(net, Map.of()));
    try (MatrixFactorization other =
        new MatrixFactorization(new MatrixFactorization.Config(3, 3, 2), 1)) {
      refused(
          "quantization: a MatrixFactorization has no layer that can compute with rounded numbers,"
              + " expected a network of such layers, as a SegmentationNet is",
          () -> new QuantizedLayers(AT_ONCE, other));
    }
    List<String> all = List.of("bottom", "decoder", "eighth", "half", "head", "quarter", "skip");
    refused(
        "quantization: all layers that can be quantised are excluded",
        () -> new QuantizedLayers(new Quantization.Int8(0, 0.01, all), net));
  }
}
