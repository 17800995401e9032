package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.internal.Autocast;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Networks that compute the insides of their stages again: the same bits, of less memory. */
@InScope(threads = 1)
class RecomputationTest {
  private static Tensor images(int batch, int channels, int size) {
    return Tensors.gaussian(5, batch, channels, size, size).to(ScalarType.Float);
  }

  static Stream<Arguments> networks() {
    Map<String, Supplier<TrainableNetwork>> networks = new LinkedHashMap<>();
    networks.put("resnet", () -> new ResNet(new ResNet.Config(3, 14, 3, 5), 1));
    networks.put("wide resnet", () -> new WideResNet(new WideResNet.Config(3, 10, 2, 5), 1));
    networks.put("densenet", () -> new DenseNet(new DenseNet.Config(3, 3, 16, 3, 0.5, 5), 1));
    networks.put(
        "super-resolution net",
        () -> new SuperResolutionNet(new SuperResolutionNet.Config(3, 4, 3, 2), 1));
    for (BackboneNet.Backbone backbone :
        List.of(BackboneNet.Backbone.RESNET18, BackboneNet.Backbone.MOBILENET_V2)) {
      networks.put(
          "backbone net of " + backbone,
          () ->
              new BackboneNet(
                  new BackboneNet.Config(3, backbone, BackboneNet.Head.LRASPP, 1.0 / 16, 8, 8, 5),
                  1));
    }
    return networks.entrySet().stream()
        .flatMap(
            one ->
                Stream.of(false, true)
                    .map(rounds -> Arguments.of(one.getKey(), one.getValue(), rounds)));
  }

  /** All taps are read twice, so that gradients meet at the borders of the stages. */
  private static Tensor loss(Map<String, Tensor> taps) {
    Tensor sum = torch.zeros(1);
    for (Tensor tap : new TreeMap<>(taps).values()) {
      Tensor f32 = tap.to(ScalarType.Float);
      sum = sum.add(f32.square().mean()).add(f32.sin().mul(new Scalar(0.3)).mean());
    }
    return sum;
  }

  private static Map<String, Tensor> forward(
      TrainableNetwork network, Recomputation stages, boolean rounds) {
    Map<String, Tensor> images = Map.of("images", images(4, 3, 9));
    if (!rounds) {
      return stages == null ? network.forward(images) : stages.forward(images);
    }
    try (Autocast rounding = new Autocast(DeviceType.CPU)) {
      return stages == null ? network.forward(images) : stages.forward(images);
    }
  }

  /** Outputs, gradients and buffers of two steps. */
  private static Map<String, Tensor> results(
      Supplier<TrainableNetwork> make, boolean again, boolean rounds) {
    TrainableNetwork network = make.get();
    network.module().train(true);
    Map<String, Tensor> results = new LinkedHashMap<>();
    for (int step = 0; step < 2; step++) {
      try (Recomputation stages = again ? new Recomputation(network) : null) {
        Map<String, Tensor> taps = forward(network, stages, rounds);
        loss(taps).backward();
        if (again) {
          stages.backward();
        }
        taps.forEach((name, tap) -> results.put("tap " + name, tap));
      }
    }
    StateDict.parametersOf(network.module())
        .forEach((name, parameter) -> results.put("gradient of " + name, parameter.grad()));
    StateDict.buffersOf(network.module()).forEach(results::put);
    return results;
  }

  @ParameterizedTest
  @MethodSource("networks")
  void bitsAreThoseWithoutIt(String name, Supplier<TrainableNetwork> make, boolean rounds) {
    assertTrue(make.get().hasStages());
    Map<String, Tensor> kept = results(make, false, rounds);
    Map<String, Tensor> again = results(make, true, rounds);
    assertEquals(kept.keySet(), again.keySet());
    List<String> different =
        kept.keySet().stream()
            .filter(result -> !torch.equal(kept.get(result), again.get(result)))
            .toList();
    assertEquals(List.of(), different);
  }

  @Test
  void frozenLayersStayWithoutAGradient() {
    ResNet network = new ResNet(new ResNet.Config(3, 8, 3, 5), 1);
    StateDict.parametersOf(network.module())
        .forEach(
            (name, parameter) -> {
              if (!name.startsWith("head")) {
                parameter.set_requires_grad(false);
              }
            });
    try (Recomputation stages = new Recomputation(network)) {
      loss(stages.forward(Map.of("images", images(2, 3, 8)))).backward();
      stages.backward();
    }
    StateDict.parametersOf(network.module())
        .forEach(
            (name, parameter) ->
                assertEquals(name.startsWith("head"), parameter.grad().defined(), name));
  }

  /** Peak of what this process has in memory above what it had before. */
  private static long peak(Runnable work) throws IOException {
    Files.writeString(Path.of("/proc/self/clear_refs"), "5"); // the peak begins anew
    long before = kilobytes("VmRSS");
    work.run();
    return kilobytes("VmHWM") - before;
  }

  private static long kilobytes(String of) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith(of + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D+", "")))
        .findFirst()
        .orElseThrow();
  }

  /**
   * Of each of 18 blocks, whose maps have 2 MB in the first stage and 0.5 MB in the last, about
   * four are kept, 84 MB, or the result alone, a quarter of them.
   */
  @Test
  void thePeakOfMemoryFalls() throws IOException {
    assumeTrue(Files.isWritable(Path.of("/proc/self/clear_refs")), "no peak can be measured");
    ResNet network = new ResNet(new ResNet.Config(3, 38, 8, 5), 1);
    Tensor images = images(64, 3, 32);
    step(network, images, true); // LibTorch keeps scratch memory from then on
    long less = peak(() -> step(network, images, true));
    long more = peak(() -> step(network, images, false));
    assertTrue(more - less > 50_000, less + " KB, and " + more + " KB without it");
  }

  private static void step(TrainableNetwork network, Tensor images, boolean again) {
    try (PointerScope step = new PointerScope();
        Recomputation stages = new Recomputation(network)) {
      Map<String, Tensor> inputs = Map.of("images", images);
      Map<String, Tensor> taps = again ? stages.forward(inputs) : network.forward(inputs);
      taps.get("logits").square().sum().backward();
      stages.backward();
    }
  }
}
