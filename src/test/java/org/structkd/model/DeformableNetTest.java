package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.compress.Pruning;
import org.structkd.compress.PruningMasks;
import org.structkd.compress.Quantization;
import org.structkd.compress.QuantizedFile;
import org.structkd.compress.QuantizedLayers;
import org.structkd.compress.Shrinking;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** A segmentation net whose deepest block is deformable: file, first step, pruning, rounding. */
@InScope
class DeformableNetTest {
  private static final SegmentationNet.Config ORDINARY = new SegmentationNet.Config(1, 4, 3);

  private static SegmentationNet net(long seed) {
    return new SegmentationNet(ORDINARY.withDeformable(true), seed);
  }

  private static Tensor images() {
    return Tensors.gaussian(1, 2, 1, 32, 48).to(ScalarType.Float);
  }

  /** Offsets that are no longer 0, as a training leaves them. */
  private static void move(SegmentationNet net) {
    try (NoGradGuard noGrad = new NoGradGuard()) {
      StateDict.parametersOf(net.module())
          .forEach(
              (name, tensor) -> {
                if (name.startsWith("bottom_conv_offsets.")) {
                  tensor.add_(
                      Tensors.gaussian(3, tensor.shape())
                          .mul(new Scalar(0.3))
                          .to(ScalarType.Float));
                }
              });
    }
  }

  private static double difference(Tensor a, Tensor b) {
    return a.sub(b).abs().max().item_double() / a.abs().max().item_double();
  }

  /** Halves what it samples, which the normalisation behind it undoes. */
  @Test
  void itBeginsAsAnOrdinaryNet() {
    SegmentationNet deformable = net(2);
    SegmentationNet ordinary = new SegmentationNet(ORDINARY, 2);
    Map<String, Tensor> weights = StateDict.parametersOf(deformable.module());
    try (NoGradGuard noGrad = new NoGradGuard()) {
      StateDict.parametersOf(ordinary.module())
          .forEach((name, tensor) -> tensor.copy_(weights.get(name)));
    }
    Map<String, Tensor> first = ordinary.forward(images());
    Map<String, Tensor> same = deformable.forward(images());
    // Not to the last bit: eps 1e-5 beside a variance of a quarter.
    assertTrue(difference(first.get("logits"), same.get("logits")) < 2e-3);
    move(deformable);
    assertTrue(difference(first.get("logits"), deformable.forward(images()).get("logits")) > 0.02);
  }

  @Test
  void aFileTellsIt() throws IOException {
    SegmentationNet net = net(3);
    move(net);
    TensorFile file = net.toFile(Map.of());
    assertEquals("true", file.property("deformable"));
    SegmentationNet copy =
        SegmentationNet.of(TensorFile.read(new ByteArrayInputStream(file.toBytes()), "it"));
    assertTrue(copy.config().deformable());
    assertEquals(net.config(), copy.config());
    assertTrue(net.infer(images()).get("logits").equal(copy.infer(images()).get("logits")));
    try (TrainableNetwork any = NetworkFile.network(file)) {
      assertEquals(net.fingerprint(), any.fingerprint());
    }
  }

  /** So that files of before it, which say nothing of it, and those of now are alike. */
  @Test
  void filesOfOrdinaryNetsSayNothingOfIt() throws IOException {
    TensorFile file = new SegmentationNet(ORDINARY, 3).toFile(Map.of());
    assertThrows(DataFileException.class, () -> file.property("deformable"));
    assertFalse(SegmentationNet.of(file).config().deformable());
  }

  @Test
  void weightsOfTheOtherKindAreRefused() {
    TensorFile ordinary = new SegmentationNet(ORDINARY, 3).toFile(Map.of());
    TensorFile unclear = net(3).toFile(Map.of("deformable", "maybe"));
    assertThrows(DataFileException.class, () -> net(1).restore(ordinary));
    DataFileException e = assertThrows(DataFileException.class, () -> SegmentationNet.of(unclear));
    assertTrue(
        e.getMessage().endsWith("expected \"deformable\" to be true or false, found maybe"),
        e.getMessage());
  }

  @Test
  void withoutPrunedChannelsItComputesTheSame() throws IOException {
    SegmentationNet net = net(4);
    move(net);
    net.forward(images()); // statistics of their own
    try (PruningMasks masks =
        new PruningMasks(new Pruning.Channels(0.5, 0, 1, 0.5, 1, 3, List.of()), net)) {
      masks.after(1);
      masks.after(2);
    }
    try (ShrinkableNetwork small = Shrinking.shrunk(net)) {
      SegmentationNet.Config config = ((SegmentationNet) small).config();
      assertEquals(8, config.eighth());
      assertEquals(8, config.bottom());
      assertTrue(config.deformable());
      Map<String, Tensor> expected = net.infer(images());
      small
          .infer(images())
          .forEach((tap, map) -> assertTrue(difference(expected.get(tap), map) < 1e-5, tap));
      SegmentationNet read = SegmentationNet.of(small.toFile(Map.of()));
      assertEquals(config, read.config());
    }
  }

  /** The others round; the deformable block stays as it is, in the file of 8 bits, too. */
  @Test
  void theDeformableBlockKeepsTheFloatForm() throws IOException {
    SegmentationNet net = net(5);
    move(net);
    List<String> names = net.convolutions().stream().map(ConvolutionLayer::name).toList();
    assertEquals(
        List.of("half_conv", "quarter_conv", "skip_conv", "eighth_conv", "decoder_conv", "head"),
        names);
    Tensor before = net.infer(images()).get("logits").clone();
    try (QuantizedLayers layers = new QuantizedLayers(new Quantization.Int8(), net)) {
      layers.addRanges();
      layers.before(0);
      net.module().train(true);
      net.forward(images());
    }
    Tensor rounded = net.infer(images()).get("logits");
    assertTrue(difference(before, rounded) > 1e-4);
    SegmentationNet copy = SegmentationNet.of(net.toFile(Map.of()));
    assertTrue(rounded.equal(copy.infer(images()).get("logits")));
    TensorFile file = QuantizedFile.of(net, Map.of());
    assertEquals(ScalarType.Char, file.tensor("eighth_conv.weight").scalar_type().intern());
    assertEquals(ScalarType.Float, file.tensor("bottom_conv.weight").scalar_type().intern());
    assertTrue(file.names().contains("bottom_conv_offsets.weight"));
    assertTrue(file.names().contains("bottom_norm.running_mean"));
  }

  @Test
  void gradientsReachTheOffsets() {
    SegmentationNet net = net(6);
    net.forward(images()).get("logits").square().mean().backward();
    Tensor gradient = StateDict.parametersOf(net.module()).get("bottom_conv_offsets.weight").grad();
    assertTrue(gradient.abs().max().item_double() > 0);
  }
}
