package org.structkd.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.structkd.compress.Pruning.Magnitude.Range;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.InScope;
import org.structkd.train.Distiller;
import org.structkd.train.TrainingConfig;

@InScope
class PruningTest {
  private SegmentationNet net;

  @BeforeEach
  void open() {
    net = new SegmentationNet(new SegmentationNet.Config(1, 3, FashionScenes.CLASSES), 1);
  }

  @AfterEach
  void close() {
    net.close();
  }

  /** Numbers of polynomial decay from 0.5 to 0.9 in 4 steps after 10, by hand. */
  @Test
  void theShareGrowsByTheCubicOfTheTimeThatIsLeft() {
    Pruning.Magnitude pruning =
        new Pruning.Magnitude(0.9, 10, 14, 0.5, 2, 3, Range.TENSOR, List.of());
    GradualSparsity gradual = new GradualSparsity(0.9, 10, 14, 0.5, 2, 3);
    assertEquals(0, gradual.after(9));
    assertEquals(0.5, gradual.after(10));
    assertEquals(0.9 - 0.4 * 0.125, gradual.after(12), 1e-15);
    assertEquals(0.9, gradual.after(14));
    assertEquals(0.9, gradual.after(1000));
    assertEquals(OptionalDouble.empty(), pruning.dueAfter(9));
    assertTrue(pruning.dueAfter(10).isPresent() && pruning.dueAfter(12).isPresent());
    assertEquals(OptionalDouble.empty(), pruning.dueAfter(11));
    assertEquals(OptionalDouble.of(0.9), pruning.dueAfter(14));
    assertEquals(OptionalDouble.empty(), pruning.dueAfter(16));
    assertTrue(new Pruning.Magnitude(0.5, 0, 150).dueAfter(150).isPresent(), "between two times");
  }

  private Map<String, Tensor> weights() {
    Map<String, Tensor> weights = new TreeMap<>(StateDict.parametersOf(net.module()));
    weights.values().removeIf(weight -> weight.dim() < 2);
    return weights;
  }

  private static long zeros(Tensor weight) {
    return weight.eq(new Scalar(0)).sum().item_long();
  }

  private static Pruning.Magnitude atOnce(double target, Range range, String... excluded) {
    return new Pruning.Magnitude(target, 0, 1, target, 1, 3, range, List.of(excluded));
  }

  @Test
  void inEachTensorTheSmallestWeightsGo() {
    Map<String, Tensor> before = new TreeMap<>();
    weights().forEach((name, weight) -> before.put(name, weight.detach().clone()));
    try (PruningMasks masks = new PruningMasks(atOnce(0.4, Range.TENSOR, "head."), net)) {
      masks.after(1);
      assertEquals(0.4, masks.sparsity(), 0.01);
      weights()
          .forEach(
              (name, weight) -> {
                long expected = name.startsWith("head.") ? 0 : Math.round(0.4 * weight.numel());
                assertEquals(expected, zeros(weight), name);
                Tensor was = before.get(name).abs();
                Tensor kept = weight.ne(new Scalar(0));
                assertTrue(
                    torch.equal(weight.masked_select(kept), before.get(name).masked_select(kept)));
                if (expected > 0) {
                  double largestPruned = was.masked_select(kept.logical_not()).max().item_double();
                  assertTrue(largestPruned <= was.masked_select(kept).min().item_double(), name);
                }
              });
    }
    StateDict.parametersOf(net.module()).entrySet().stream()
        .filter(one -> one.getKey().endsWith("norm.weight"))
        .forEach(norm -> assertEquals(0, zeros(norm.getValue()), norm.getKey()));
  }

  @Test
  void inTheWholeNetworkLayersOfSmallWeightsGetSparser() {
    Tensor small = weights().get("bottom_conv.weight");
    try (NoGradGuard noGrad = new NoGradGuard()) {
      small.mul_(new Scalar(1e-3));
    }
    try (PruningMasks masks = new PruningMasks(atOnce(0.3, Range.NETWORK), net)) {
      masks.after(1);
      long all = weights().values().stream().mapToLong(Tensor::numel).sum();
      assertEquals(
          Math.round(0.3 * all), weights().values().stream().mapToLong(PruningTest::zeros).sum());
      assertTrue(zeros(small) > 0.9 * Math.min(small.numel(), 0.3 * all));
    }
  }

  /** What is pruned does not come back, though an optimizer moves it, however large it gets. */
  @Test
  void whatIsPrunedStaysSo() {
    Pruning.Magnitude pruning =
        new Pruning.Magnitude(0.8, 0, 4, 0.2, 2, 3, Range.TENSOR, List.of());
    Tensor weight = weights().get("skip_conv.weight");
    try (PruningMasks masks = new PruningMasks(pruning, net)) {
      Tensor pruned = torch.zeros_like(weight.detach());
      for (long step = 1; step <= 6; step++) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
          weight.add_(new Scalar(0.5));
        }
        masks.after(step);
        Tensor now = weight.detach().eq(new Scalar(0));
        assertTrue(now.logical_or(pruned.eq(new Scalar(0))).all().item_bool(), "step " + step);
        pruned = now.to(weight.dtype());
      }
      assertEquals(Math.round(0.8 * weight.numel()), zeros(weight));
    }
  }

  private static Objective objective() {
    return Objective.of(
        new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
  }

  private void train(TrainingConfig config) throws IOException {
    new Distiller(config, objective(), SceneBatches.of(FashionScenes.bundled(), 2)).train(net);
  }

  @Test
  void aTrainedNetworkIsSparseAlsoWhereItIsAnAverage() throws IOException {
    Pruning.Magnitude pruning = new Pruning.Magnitude(0.5, 1, 3, 0, 1, 3, Range.TENSOR, List.of());
    train(TrainingConfig.of(4, 0.01).withPruning(pruning).withEma(0.9));
    weights()
        .forEach((name, weight) -> assertEquals(Math.round(0.5 * weight.numel()), zeros(weight)));
    Tensor pruned = weights().get("decoder_conv.weight").detach().eq(new Scalar(0));
    train(TrainingConfig.of(3, 0.01).withPruning(new Pruning.Kept()));
    Tensor after = weights().get("decoder_conv.weight").detach().eq(new Scalar(0));
    assertTrue(torch.equal(pruned, after), "a training that keeps the sparsity");
    train(TrainingConfig.of(1, 0.01).withPruning(new Pruning.Kept(List.of("decoder_conv."))));
    assertTrue(zeros(weights().get("decoder_conv.weight")) < pruned.sum().item_long());
    assertTrue(zeros(weights().get("skip_conv.weight")) > 0);
  }

  @Test
  void impossibleSettingsAreRefused() {
    refused("target is 1.0", () -> new Pruning.Magnitude(1, 0, 10));
    refused("target is NaN", () -> new Pruning.Magnitude(Double.NaN, 0, 10));
    refused("begin is 10 and end is 10", () -> new Pruning.Magnitude(0.5, 10, 10));
    refused(
        "initial is 0.6",
        () -> new Pruning.Magnitude(0.5, 0, 9, 0.6, 1, 3, Range.TENSOR, List.of()));
    refused("every is 0", () -> new Pruning.Magnitude(0.5, 0, 9, 0, 0, 3, Range.TENSOR, List.of()));
    refused(
        "power is 0.0", () -> new Pruning.Magnitude(0.5, 0, 9, 0, 1, 0, Range.TENSOR, List.of()));
    refused(
        "pruning ends after 9 steps, expected at most those of the training, 8",
        () -> TrainingConfig.of(8, 0.1).withPruning(new Pruning.Magnitude(0.5, 0, 9)));
    refused(
        "no weight begins with the excluded \"haed.\", there are: bottom_conv.weight",
        () -> new PruningMasks(new Pruning.Kept(List.of("haed.")), net));
  }

  private static void refused(String part, Runnable call) {
    String said = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(said.contains(part), said);
  }
}
