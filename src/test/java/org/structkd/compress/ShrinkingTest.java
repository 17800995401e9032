package org.structkd.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.Owned;
import org.structkd.model.ChannelGroup;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.SegmentationNet;
import org.structkd.model.ShrinkableNetwork;
import org.structkd.model.StateDict;
import org.structkd.model.TensorFile;
import org.structkd.testing.InScope;

/** A network without its pruned channels computes what it computed with them. */
@InScope
class ShrinkingTest {
  /** Gives all parameters and statistics values of their own, as a training does. */
  private static void scatter(Module module) {
    Generators.seeded(
        3,
        () -> {
          try (NoGradGuard noGrad = new NoGradGuard()) {
            for (Map<String, Tensor> tensors :
                List.of(StateDict.parametersOf(module), StateDict.buffersOf(module))) {
              tensors.values().stream()
                  .filter(Tensor::is_floating_point)
                  .forEach(tensor -> tensor.add_(torch.rand_like(tensor)));
            }
          }
          return null;
        });
  }

  private static void prune(ShrinkableNetwork network, double target, String... excluded) {
    try (PruningMasks masks =
        new PruningMasks(ChannelPruningTest.atOnce(target, excluded), network)) {
      masks.after(1);
    }
  }

  private static Tensor images(ScalarType type) {
    return Generators.seeded(5, () -> torch.rand(2, 1, 32, 48)).to(type);
  }

  private static void assertSameOutputs(
      Map<String, Tensor> expected, Map<String, Tensor> actual, double tolerance) {
    expected.forEach(
        (tap, map) -> {
          double scale = map.abs().max().item_double();
          double error = map.sub(actual.get(tap)).abs().max().item_double();
          assertTrue(scale > 0.01, tap + " is not 0");
          assertTrue(error <= tolerance * scale, tap + " differs by " + error + " of " + scale);
        });
  }

  @Test
  void aQuantisedNetworkKeepsItsRanges() {
    try (SegmentationNet whole = net(3, 1);
        QuantizedLayers quantized = new QuantizedLayers(new Quantization.Int8(), whole)) {
      quantized.addRanges();
      quantized.before(0);
      whole.module().train(true);
      whole.forward(images(ScalarType.Float)); // which gives the ranges what they hold
      whole.module().eval();
      prune(whole, 0.5);
      try (ShrinkableNetwork small = Shrinking.shrunk(whole)) {
        Map<String, Tensor> ranges = StateDict.buffersOf(small.module());
        StateDict.buffersOf(whole.module()).entrySet().stream()
            .filter(buffer -> buffer.getKey().endsWith("_range"))
            .forEach(
                buffer ->
                    assertTrue(
                        torch.equal(buffer.getValue(), ranges.get(buffer.getKey())),
                        buffer.getKey()));
        assertTrue(small.convolutions().stream().allMatch(ConvolutionLayer::isQuantized));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0.25", "2, 0.5", "3, 0.9", "6, 0.25", "6, 0.5", "6, 0.9"})
  void aShrunkNetworkEqualsTheMaskedOne(int width, double target) throws IOException {
    try (SegmentationNet whole = net(width, 1)) {
      scatter(whole.module());
      prune(whole, target);
      SegmentationNet.Config config = whole.config();
      try (ShrinkableNetwork small = Shrinking.shrunk(whole);
          SegmentationNet read =
              SegmentationNet.of(TensorFile.read(new ByteArrayInputStream(bytes(small)), "it"))) {
        assertEquals(
            new SegmentationNet.Config(
                1,
                kept(config.half(), target),
                kept(config.quarter(), target),
                kept(config.skip(), target),
                kept(config.eighth(), target),
                kept(config.bottom(), target),
                config.decoder(),
                config.classes(),
                false),
            read.config());
        Map<String, Tensor> expected = whole.infer(images(ScalarType.Float));
        assertSameOutputs(expected, small.infer(images(ScalarType.Float)), 1e-5);
        assertSameOutputs(expected, read.infer(images(ScalarType.Float)), 1e-5);
        NetworkSize before = NetworkSize.of(whole.module());
        NetworkSize after = NetworkSize.of(small.module());
        assertTrue(after.parameters() < before.parameters());
        assertTrue(bytes(small).length < bytes(whole).length);
        assertEquals(config, whole.config(), "the whole one stays");
        whole.module().train(true);
        small.module().train(true);
        assertSameOutputs(
            whole.forward(images(ScalarType.Float)),
            small.forward(images(ScalarType.Float)),
            1e-4); // batch norm divides rounding errors by small deviations
      }
    }
  }

  private static int kept(int channels, double target) {
    return channels - (int) Math.min(Math.round(target * channels), channels - 1);
  }

  @Test
  void typesStayAndAnUnprunedNetworkStaysWhole() {
    try (SegmentationNet whole = net(2, 1)) {
      whole.module().to(ScalarType.Double, false);
      scatter(whole.module());
      try (ShrinkableNetwork same = Shrinking.shrunk(whole)) {
        assertTrue(Arrays.equals(bytes(whole), bytes(same)));
      }
      prune(whole, 0.5, "skip");
      try (ShrinkableNetwork small = Shrinking.shrunk(whole)) {
        assertSameOutputs(
            whole.infer(images(ScalarType.Double)), small.infer(images(ScalarType.Double)), 1e-13);
      }
    }
  }

  /** A group of zeros alone keeps one, since a layer of no channels is none. */
  @Test
  void oneChannelIsAlwaysLeft() {
    try (SegmentationNet whole = net(2, 1);
        NoGradGuard noGrad = new NoGradGuard()) {
      StateDict.parametersOf(whole.module()).values().forEach(weight -> weight.mul_(new Scalar(0)));
      try (ShrinkableNetwork small = Shrinking.shrunk(whole)) {
        assertEquals(
            new SegmentationNet.Config(1, 1, 1, 1, 1, 1, 4, 11, false),
            ((SegmentationNet) small).config());
      }
    }
  }

  @Test
  void unknownGroupsAreRefused() {
    try (SegmentationNet whole = net(2, 1)) {
      refused(
          "a segmentation net has no group of channels \"decoder\", it has: bottom, eighth, half,"
              + " quarter, skip",
          () -> whole.withChannels(Map.of("decoder", 1)));
    }
  }

  /**
   * Two convolutions with a bias whose results are added, y = a(x) + b(relu(a(x))): one group, that
   * b also reads.
   */
  private static final class Residual implements ShrinkableNetwork {
    private final int channels;
    private final List<String> producers;
    private final Owned<Parts> parts;

    private record Parts(Module module, Conv2dImpl first, Conv2dImpl second, Conv2dImpl head) {
      static Parts of(int channels) {
        Module module = new ModuleDictImpl();
        return new Parts(
            module,
            Layers.convolution(module, "a", 1, channels, 3, 1, true),
            Layers.convolution(module, "b", channels, channels, 3, 1, true),
            Layers.convolution(module, "head", channels, 2, 1, 1, true));
      }
    }

    Residual(int channels, List<String> producers) {
      this.channels = channels;
      this.producers = producers;
      parts = Owned.make("residual", () -> Parts.of(channels));
    }

    @Override
    public Set<String> taps() {
      return Set.of("scores");
    }

    @Override
    public Module module() {
      return parts.get().module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      Tensor a = parts.get().first.forward(inputs.get("images"));
      Tensor sum = a.add(parts.get().second.forward(torch.relu(a)));
      return Map.of("scores", parts.get().head.forward(sum));
    }

    @Override
    public List<ChannelGroup> channelGroups() {
      return List.of(
          new ChannelGroup(
              "sum",
              channels,
              producers,
              List.of(
                  new ChannelGroup.Reader("b.weight", 0),
                  new ChannelGroup.Reader("head.weight", 0))));
    }

    @Override
    public ShrinkableNetwork withChannels(Map<String, Integer> sizes) {
      return new Residual(sizes.get("sum"), producers);
    }

    @Override
    public void close() {
      parts.close();
    }
  }

  @Test
  void channelsThatAreAddedGoTogether() {
    Residual whole = new Residual(6, List.of("a.weight", "a.bias", "b.weight", "b.bias"));
    scatter(whole.module());
    prune(whole, 0.5);
    ShrinkableNetwork small = Shrinking.shrunk(whole);
    assertEquals(3, StateDict.parametersOf(small.module()).get("b.weight").size(1));
    assertSameOutputs(
        whole.infer(images(ScalarType.Float)), small.infer(images(ScalarType.Float)), 1e-5);
  }

  @Test
  void aGroupThatForgetsAProducerIsRefused() {
    Residual whole = new Residual(6, List.of("a.weight", "a.bias", "b.weight"));
    prune(whole, 0.5);
    refused(
        IllegalStateException.class,
        "b.bias of the smaller network is [3], but there is [6] for it: its groups of channels do"
            + " not name all that makes or reads them",
        () -> Shrinking.shrunk(whole));
  }
}
