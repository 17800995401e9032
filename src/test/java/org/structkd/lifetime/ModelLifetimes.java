package org.structkd.lifetime;

import static org.structkd.lifetime.Lifetime.owner;
import static org.structkd.lifetime.Lifetime.result;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.compress.Latency;
import org.structkd.compress.NetworkSize;
import org.structkd.compress.Pruning;
import org.structkd.compress.PruningMasks;
import org.structkd.compress.Quantization;
import org.structkd.compress.QuantizedFile;
import org.structkd.compress.QuantizedLayers;
import org.structkd.compress.Shrinking;
import org.structkd.model.BackboneNet;
import org.structkd.model.BundledTeacher;
import org.structkd.model.ConvolutionLayer;
import org.structkd.model.DeformableConvolution;
import org.structkd.model.DenseNet;
import org.structkd.model.DepthNet;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.NetworkFile;
import org.structkd.model.NetworkTrace;
import org.structkd.model.Recomputation;
import org.structkd.model.ResNet;
import org.structkd.model.ScoreAveraging;
import org.structkd.model.ScriptedNetwork;
import org.structkd.model.SegmentationNet;
import org.structkd.model.SlidingWindow;
import org.structkd.model.StateDict;
import org.structkd.model.SuperResolutionNet;
import org.structkd.model.TensorFile;
import org.structkd.model.TrajectoryNet;
import org.structkd.model.WideResNet;
import org.structkd.testing.ScriptFile;
import org.structkd.testing.Tensors;

/** Lifetimes of networks, their layers and files. */
final class ModelLifetimes {
  private ModelLifetimes() {}

  static Stream<Lifetime<?>> rows(Path folder) {
    return Stream.of(
        owner(SegmentationNet.class, Made::net, Made::outputs),
        owner(BundledTeacher.class, BundledTeacher::load, Made::outputs),
        owner(
            ScriptedNetwork.class,
            () -> scripted(folder),
            network -> Tensors.values(network.infer(Made.images()).get("logits"))),
        owner(
            StateDict.class,
            () -> Made.net().toFile(Map.of()),
            file -> {
              try (SegmentationNet other = new SegmentationNet(Made.net().config(), 2)) {
                StateDict.restore(other.module(), file);
                return Made.outputs(other);
              }
            }),
        owner(TensorFile.class, () -> Made.net().toFile(Map.of()), ModelLifetimes::outputsOfFile),
        result(
            NetworkTrace.class,
            () -> NetworkTrace.of(Made.net(), Map.of("images", Made.images()), ""),
            bytes -> Tensors.values(bytes)),
        owner(
            TensorFile.Builder.class,
            () -> TensorFile.builder().tensor("x", Made.map(1)),
            builder -> new double[] {builder.build("it").toBytes().length}),
        owner(
            MatrixFactorization.class,
            () -> new MatrixFactorization(new MatrixFactorization.Config(10, 10, 2), 1),
            net -> Tensors.values(net.infer(Made.ratings().inputs()).get("rating"))),
        owner(
            ScoreAveraging.class,
            () -> new ScoreAveraging(new SlidingWindow(8, 8), List.of(0.5, 1.0), true),
            averaging ->
                Tensors.values(
                    averaging.of(Made.net(), "upsampled").infer(Made.images()).get("upsampled"))),
        owner(
            ResNet.class,
            () -> new ResNet(new ResNet.Config(1, 8, 2, 10), 1),
            net -> Tensors.values(net.infer(Made.images()).get("logits"))),
        owner(
            Recomputation.class,
            () -> new Recomputation(new ResNet(new ResNet.Config(1, 8, 2, 10), 1)),
            stages -> {
              Tensor logits = stages.forward(Map.of("images", Made.images())).get("logits");
              logits.sum().backward();
              stages.backward();
              return Tensors.values(logits);
            }),
        owner(
            BackboneNet.class,
            () -> new BackboneNet(backbone(), 1),
            net -> Tensors.values(net.infer(torch.ones(1, 1, 16, 16)).get("upsampled"))),
        owner(
            WideResNet.class,
            () -> new WideResNet(new WideResNet.Config(1, 10, 1, 10), 1),
            net -> Tensors.values(net.infer(Made.images()).get("logits"))),
        owner(
            DenseNet.class,
            () -> new DenseNet(new DenseNet.Config(1, 4, 13, 2, 0.5, 10), 1),
            net -> Tensors.values(net.infer(Made.images()).get("logits"))),
        owner(
            SuperResolutionNet.class,
            () -> new SuperResolutionNet(new SuperResolutionNet.Config(1, 2, 1, 2), 1),
            net -> Tensors.values(net.infer(Made.garments().inputs()).get("image"))),
        owner(
            DepthNet.class,
            () -> new DepthNet(new DepthNet.Config(1, 2, 1, 20), 1),
            net -> Tensors.values(net.infer(Made.stereo().inputs()).get("depth"))),
        owner(
            TrajectoryNet.class,
            () -> new TrajectoryNet(new TrajectoryNet.Config(2, 1, 1, 2), 1),
            net -> Tensors.values(net.infer(Made.crowd().inputs()).get("positions"))),
        owner(
            PruningMasks.class,
            () -> new PruningMasks(new Pruning.Magnitude(0.5, 0, 1), Made.net()),
            masks -> {
              masks.after(1);
              return new double[] {masks.sparsity()};
            }),
        owner(
            QuantizedLayers.class,
            () -> new QuantizedLayers(new Quantization.Int8(), Made.net()),
            layers -> {
              layers.addRanges();
              layers.before(0);
              return Tensors.values(layers.layers().get(0).roundedWeight());
            }),
        owner(
            QuantizedFile.class,
            ModelLifetimes::quantized,
            net -> Tensors.values(QuantizedFile.of(net, Map.of()).tensor("head.weight"))),
        owner(
            DeformableConvolution.class,
            () ->
                new DeformableConvolution(
                    new ModuleDictImpl(), "a", new DeformableConvolution.Config(1, 2, 3, 1, 1), 1),
            layer -> Tensors.values(layer.forward(Made.images()))),
        owner(
            ConvolutionLayer.class,
            () -> quantized().convolutions().get(0),
            layer -> Tensors.values(layer.roundedWeight())),
        result(
            ConvolutionLayer.Quantized.class,
            () -> quantized().convolutions().get(0).quantized(),
            stored -> Tensors.values(stored.weight())),
        owner(
            Shrinking.class,
            () -> Shrinking.shrunk(Made.net()),
            small -> Tensors.values(small.infer(Made.images()).get("logits"))),
        owner(
            NetworkSize.class,
            () -> NetworkSize.of(Made.net().module()),
            size -> new double[] {size.parameters(), size.sparseBytes()}),
        owner(
            Latency.class,
            () -> Latency.of(Made.net(), Map.of("images", Made.images()), 1),
            latency -> new double[] {latency.runs(), latency.threads()}),
        owner(
            NetworkFile.class,
            () -> NetworkFile.network(Made.net().toFile(Map.of())),
            network -> Tensors.values(network.infer(Made.images()).get("logits"))));
  }

  private static BackboneNet.Config backbone() {
    return new BackboneNet.Config(
        1, BackboneNet.Backbone.MOBILENET_V2, BackboneNet.Head.LRASPP, 0.125, 16, 4, 2);
  }

  private static double[] outputsOfFile(TensorFile file) throws IOException {
    try (SegmentationNet net = SegmentationNet.of(file)) {
      return Made.outputs(net);
    }
  }

  private static SegmentationNet quantized() {
    SegmentationNet net = Made.net();
    try (PointerScope temporaries = new PointerScope();
        QuantizedLayers layers = new QuantizedLayers(new Quantization.Int8(), net)) {
      layers.addRanges();
      layers.before(0);
      net.forward(Made.images());
    }
    return net;
  }

  static ScriptedNetwork scripted(Path folder) throws IOException {
    Path file = ScriptFile.write(folder.resolve("identity.pt"), "Tensor", "images");
    return ScriptedNetwork.load(file, Made.images());
  }
}
