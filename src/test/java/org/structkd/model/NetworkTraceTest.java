package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Batch;
import org.structkd.internal.Generators;
import org.structkd.testing.ForwardingNetwork;
import org.structkd.testing.InScope;

/** What a network computes is what its TorchScript computes, for other sizes than the trace's. */
@InScope
class NetworkTraceTest {
  @TempDir private Path folder;

  /** A network, and the sizes of images or lists that it is traced and tried with. */
  private record Traced(String name, Supplier<TrainableNetwork> make, int traced, int tried) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Traced> networks() {
    return Stream.of(
        new Traced(
            "segmentation net",
            () -> new SegmentationNet(new SegmentationNet.Config(3, 2, 4), 1),
            16,
            40),
        new Traced(
            "deformable, of one size",
            () -> new SegmentationNet(new SegmentationNet.Config(1, 2, 4).withDeformable(true), 1),
            16,
            16),
        backboneNet(BackboneNet.Backbone.RESNET18, BackboneNet.Head.PSPNET),
        backboneNet(BackboneNet.Backbone.MOBILENET_V2, BackboneNet.Head.DEEPLABV3_PLUS),
        backboneNet(BackboneNet.Backbone.MOBILENET_V2, BackboneNet.Head.LRASPP),
        new Traced("depth net", () -> new DepthNet(new DepthNet.Config(1, 2, 1, 10), 1), 16, 48),
        new Traced("resnet", () -> new ResNet(new ResNet.Config(1, 8, 2, 3), 1), 12, 21),
        new Traced(
            "wide resnet", () -> new WideResNet(new WideResNet.Config(1, 10, 1, 3), 1), 12, 21),
        new Traced(
            "dense net", () -> new DenseNet(new DenseNet.Config(1, 3, 10, 4, 0.5, 3), 1), 12, 21),
        new Traced(
            "super-resolution net",
            () -> new SuperResolutionNet(new SuperResolutionNet.Config(1, 4, 2, 4), 1),
            7,
            12),
        new Traced(
            "trajectory net",
            () -> new TrajectoryNet(new TrajectoryNet.Config(4, 5, 2, 6), 1),
            0,
            0),
        new Traced(
            "matrix factorization",
            () -> new MatrixFactorization(new MatrixFactorization.Config(9, 7, 3), 1),
            2,
            5));
  }

  private static Traced backboneNet(BackboneNet.Backbone backbone, BackboneNet.Head head) {
    return new Traced(
        backbone + " with " + head,
        () -> new BackboneNet(new BackboneNet.Config(3, backbone, head, 1.0 / 16, 16, 8, 4), 1),
        48,
        65);
  }

  private static Map<String, Tensor> example(TrainableNetwork network, int batch, int size) {
    Map<String, Tensor> example = new LinkedHashMap<>();
    for (NetworkInput read : network.reads()) {
      long[] shape =
          read.axes().stream()
              .mapToLong(
                  axis -> axis.size() > 0 ? axis.size() : axis.name().equals("B") ? batch : size)
              .toArray();
      example.put(
          read.name(),
          Generators.seeded(
              batch,
              () ->
                  read.indices() == 0
                      ? torch.rand(shape)
                      : torch.randint(read.indices(), shape).to(ScalarType.Long)));
    }
    return example;
  }

  private Path traced(TrainableNetwork network, Map<String, Tensor> example) throws IOException {
    Tensor bytes = NetworkTrace.of(network, example, "{}");
    byte[] copy = new byte[(int) bytes.numel()];
    new BytePointer(bytes.data_ptr()).capacity(copy.length).get(copy);
    return Files.write(folder.resolve("network.pt"), copy);
  }

  @ParameterizedTest
  @MethodSource("networks")
  void otherBatchesAndSizesGiveWhatTheNetworkGives(Traced row) throws IOException {
    try (TrainableNetwork network = row.make.get()) {
      Path file = traced(network, example(network, 2, row.traced));
      for (int batch : new int[] {1, 3}) {
        Map<String, Tensor> inputs = example(network, batch, row.tried);
        Map<String, Tensor> expected = network.infer(inputs);
        Map<String, Tensor> found = NetworkTrace.run(file, new ArrayList<>(inputs.values()));
        assertEquals(network.taps(), found.keySet());
        expected.forEach(
            (tap, output) -> {
              assertArrayEquals(output.shape(), found.get(tap).shape(), tap);
              double apart = found.get(tap).sub(output).abs().max().item_double();
              assertTrue(apart <= 1e-6, tap + " is " + apart + " apart");
            });
      }
    }
  }

  @Test
  void aNetworkThatRoundsIsTracedAsItRounds() throws IOException {
    try (SegmentationNet network = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1)) {
      network.module().train(true);
      for (ConvolutionLayer layer : network.convolutions()) {
        layer.addRange();
        layer.observe(1);
      }
      Map<String, Tensor> example = example(network, 2, 16);
      network.forward(example);
      Path file = traced(network, example);
      Map<String, Tensor> found = NetworkTrace.run(file, new ArrayList<>(example.values()));
      Tensor expected = network.infer(example).get(SegmentationNet.LOGITS);
      assertTrue(found.get(SegmentationNet.LOGITS).sub(expected).abs().max().item_double() <= 1e-6);
      assertTrue(network.module().is_training(), "the network is as it was");
    }
  }

  @Test
  void aTracedStudentIsATeacher() throws IOException {
    try (SegmentationNet network = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1)) {
      Map<String, Tensor> example = example(network, 2, 16);
      Path file = traced(network, example);
      try (ScriptedNetwork teacher = ScriptedNetwork.load(file, example.get(Batch.IMAGES))) {
        assertEquals(network.taps(), teacher.taps());
      }
    }
  }

  @Test
  void aTraceThatFailsLeavesTheThreadAsItWas() throws IOException {
    try (SegmentationNet network = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1)) {
      refused(
          "segmentation net: images are [2, 1, 12, 16], expected [B, 1, H, W] with H and W"
              + " multiples of 8",
          () -> NetworkTrace.of(network, Map.of(Batch.IMAGES, torch.rand(2, 1, 12, 16)), ""));
      refused(
          "the example has no input \"images\", it has: image; did you mean \"image\"?",
          () -> NetworkTrace.of(network, Map.of("image", torch.rand(2, 1, 16, 16)), ""));
      traced(network, example(network, 2, 16));
      TrainableNetwork silent = new ForwardingNetwork(network);
      refused(
          ForwardingNetwork.class.getName() + " does not say what it reads, expected reads()",
          () -> NetworkTrace.of(silent, example(network, 2, 16), ""));
    }
  }
}
