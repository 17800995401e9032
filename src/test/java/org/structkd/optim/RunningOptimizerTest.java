package org.structkd.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope(threads = 1)
class RunningOptimizerTest {
  private static final int STEPS = 5;
  private static final double RATE = 0.03;

  /** Makes LibTorch's own optimizer. */
  private interface Theirs {
    org.bytedeco.pytorch.Optimizer of(TensorVector parameters);
  }

  static Stream<Arguments> pairs() {
    return Stream.of(
        pair(new Adam(RATE), p -> new org.bytedeco.pytorch.Adam(p, new AdamOptions(RATE))),
        pair(
            new Adam(RATE, 0.8, 0.95, 1e-5, 0.1, true),
            p -> {
              AdamOptions options = new AdamOptions(RATE);
              options.betas().put(0.95, 0.8); // a tuple, which lies in memory from its end on
              options.eps().put(1e-5);
              options.weight_decay().put(0.1);
              return new org.bytedeco.pytorch.Adam(p, options);
            }),
        pair(
            new AdamW(RATE, 0.9, 0.999, 1e-8, 0.1, true),
            p -> {
              AdamWOptions options = new AdamWOptions(RATE);
              options.weight_decay().put(0.1);
              return new org.bytedeco.pytorch.AdamW(p, options);
            }),
        pair(new Sgd(RATE, 0), p -> new org.bytedeco.pytorch.SGD(p, new SGDOptions(RATE))),
        pair(
            new Sgd(RATE, 0.9, false, 0.1, true),
            p -> {
              SGDOptions options = new SGDOptions(RATE);
              options.momentum().put(0.9);
              options.weight_decay().put(0.1);
              return new org.bytedeco.pytorch.SGD(p, options);
            }),
        pair(
            new Sgd(RATE, 0.9, true, 0, true),
            p -> {
              SGDOptions options = new SGDOptions(RATE);
              options.momentum().put(0.9);
              options.nesterov().put(true);
              return new org.bytedeco.pytorch.SGD(p, options);
            }));
  }

  private static Arguments pair(Optimizer ours, Theirs theirs) {
    return Arguments.of(ours, theirs);
  }

  private static SegmentationNet net() {
    return new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1);
  }

  private static void differentiate(SegmentationNet net, int step) {
    net.module().zero_grad(true);
    Tensor images = Tensors.gaussian(step, 2, 1, 16, 16).to(ScalarType.Float);
    net.forward(images).get(SegmentationNet.LOGITS).square().mean().backward();
  }

  private static RunningOptimizer running(Optimizer settings, Module module) {
    return new RunningOptimizer(settings, Map.of("", module), Map.of());
  }

  private static void assertEqualWeights(SegmentationNet one, SegmentationNet other) {
    Map<String, Tensor> others = StateDict.parametersOf(other.module());
    StateDict.parametersOf(one.module())
        .forEach((name, weight) -> assertTrue(torch.equal(weight, others.get(name)), name));
  }

  @ParameterizedTest
  @MethodSource("pairs")
  void hasTheBitsOfLibTorchs(Optimizer settings, Theirs theirs) {
    SegmentationNet mine = net();
    SegmentationNet yours = net();
    RunningOptimizer running = running(settings, mine.module());
    org.bytedeco.pytorch.Optimizer libTorch = theirs.of(yours.module().parameters());
    for (int step = 0; step < STEPS; step++) {
      differentiate(mine, step);
      differentiate(yours, step);
      running.step(1);
      libTorch.step();
    }
    assertEqualWeights(mine, yours);
  }

  /** Without a gradient only the decay moves a parameter. */
  @Test
  void normsAndBiasesAreSparedTheDecayByOption() {
    for (Optimizer settings :
        new Optimizer[] {
          new AdamW(RATE, 0.9, 0.999, 1e-8, 0.5, false), new Sgd(RATE, 0.9, false, 0.5, false)
        }) {
      SegmentationNet net = net();
      Map<String, Tensor> before = StateDict.parametersOf(net.module());
      before.replaceAll((name, weight) -> weight.detach().clone());
      differentiate(net, 0);
      StateDict.parametersOf(net.module()).values().forEach(weight -> weight.grad().zero_());
      running(settings, net.module()).step(1);
      StateDict.parametersOf(net.module())
          .forEach(
              (name, weight) ->
                  assertEquals(
                      weight.dim() <= 1, torch.equal(before.get(name), weight), settings + name));
    }
  }

  @Test
  void aGroupHasItsOwnRateAndTheLongestBeginningCounts() {
    SegmentationNet plain = net();
    SegmentationNet grouped = net();
    Map<String, Double> factors = Map.of("", 0.5, "head.", 2.0, "head.bias", 0.0);
    RunningOptimizer running =
        new RunningOptimizer(new Sgd(RATE, 0), Map.of("", grouped.module()), factors);
    differentiate(plain, 0);
    differentiate(grouped, 0);
    Map<String, Tensor> before = StateDict.parametersOf(plain.module());
    before.replaceAll((name, weight) -> weight.detach().clone());
    running(new Sgd(RATE, 0), plain.module()).step(1);
    running.step(1);
    Map<String, Tensor> once = StateDict.parametersOf(plain.module());
    StateDict.parametersOf(grouped.module())
        .forEach(
            (name, weight) -> {
              double factor = name.equals("head.bias") ? 0 : name.startsWith("head.") ? 2 : 0.5;
              Tensor moved = weight.sub(before.get(name)).detach();
              Tensor expected = once.get(name).sub(before.get(name)).detach();
              assertTrue(
                  torch.allclose(
                      moved,
                      expected.mul(new org.bytedeco.pytorch.Scalar(factor)),
                      1e-3,
                      1e-7,
                      false),
                  name);
            });
  }

  @Test
  void clippingKeepsTheDirectionAndBoundsTheNorm() {
    SegmentationNet net = net();
    differentiate(net, 0);
    RunningOptimizer running = running(new Sgd(RATE, 0), net.module());
    double norm = norm(running);
    running.clip(2 * norm);
    assertEquals(norm, norm(running), 1e-6 * norm);
    running.clip(norm / 3);
    assertEquals(norm / 3, norm(running), 1e-4 * norm);
  }

  private static double norm(RunningOptimizer running) {
    return Math.sqrt(
        running.parameters().values().stream()
            .mapToDouble(weight -> weight.grad().square().sum().item_double())
            .sum());
  }

  @Test
  void theAverageForgetsWhatItBeganWithAndGivesTheWeightsBack() {
    SegmentationNet net = net();
    Tensor bias = StateDict.parametersOf(net.module()).get("head.bias");
    fill(bias, 0);
    WeightAverage average = new WeightAverage(net.module(), 0.5);
    double expected = 0;
    for (int step = 0; step < STEPS; step++) {
      fill(bias, step + 1);
      average.update(step);
      double kept = Math.min(0.5, (1.0 + step) / (10.0 + step));
      expected = kept * expected + (1 - kept) * (step + 1);
    }
    try (WeightAverage.Applied meanwhile = average.applied()) {
      assertEquals(expected, bias.mean().item_double(), 1e-6);
    }
    assertEquals(STEPS, bias.mean().item_double());
    average.apply();
    assertEquals(expected, bias.mean().item_double(), 1e-6);
  }

  private static void fill(Tensor weight, double value) {
    weight.detach().fill_(new org.bytedeco.pytorch.Scalar(value));
  }

  @Test
  void impossibleSettingsAreNamed() {
    for (double rate : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused("learning rate must be greater than 0", () -> new Adam(rate));
      refused("learning rate must be greater than 0", () -> new Sgd(rate, 0));
    }
    refused("learning rate must be at most", () -> new AdamW(1e38));
    refused("beta1 must be at least 0 and less than 1", () -> new Adam(1, 1, 0, 1, 0, true));
    refused("eps must be greater than 0", () -> new Adam(1, 0, 0, 0, 0, true));
    refused("weight decay must be 0 or greater", () -> new Sgd(1, 0, false, -1, true));
    refused("nesterov is true but momentum is 0", () -> new Sgd(1, 0, true, 0, true));
    SegmentationNet net = net();
    refused(
        "rate factor of \"tail\": no parameter's name begins so, they are: half_conv.weight",
        () -> new RunningOptimizer(new Sgd(1, 0), Map.of("", net.module()), Map.of("tail", 1.0)));
    refused(
        "rate factor of \"head\" must be 0 or greater and finite but is -1.0",
        () -> new RunningOptimizer(new Sgd(1, 0), Map.of("", net.module()), Map.of("head", -1.0)));
  }

  private static void refused(String sentence, Executable making) {
    String said = assertThrows(IllegalArgumentException.class, making).getMessage();
    assertTrue(said.startsWith(sentence), said);
  }
}
