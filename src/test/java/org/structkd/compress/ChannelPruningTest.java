package org.structkd.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.compress.Pruning.Channels;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.model.ChannelGroup;
import org.structkd.model.MatrixFactorization;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;
import org.structkd.train.Distiller;
import org.structkd.train.TrainingConfig;

/** Channels are pruned by the schedule, the least first, and stay 0. */
@InScope
class ChannelPruningTest {
  private SegmentationNet net;

  @BeforeEach
  void open() {
    net = net(3, 1);
  }

  @AfterEach
  void close() {
    net.close();
  }

  static Channels atOnce(double target, String... excluded) {
    return new Channels(target, 0, 1, target, 1, 3, List.of(excluded));
  }

  private Map<String, Tensor> parameters() {
    return new TreeMap<>(StateDict.parametersOf(net.module()));
  }

  /** Channels of a group whose parameters are all 0. */
  private List<Integer> pruned(String block) {
    double[] sums = new double[width(block)];
    for (String part : List.of("_conv.weight", "_norm.weight", "_norm.bias")) {
      Tensor all = parameters().get(block + part).detach().abs().reshape(sums.length, -1).sum(1);
      double[] values = Tensors.values(all);
      IntStream.range(0, sums.length).forEach(at -> sums[at] += values[at]);
    }
    return IntStream.range(0, sums.length).filter(at -> sums[at] == 0).boxed().toList();
  }

  private int width(String block) {
    return (int) parameters().get(block + "_norm.bias").numel();
  }

  private double[] norms(String block) {
    Tensor filters = parameters().get(block + "_conv.weight").detach();
    return Tensors.values(filters.reshape(width(block), -1).square().sum(1).sqrt());
  }

  private List<String> blocks() {
    return net.channelGroups().stream().map(ChannelGroup::name).toList();
  }

  @Test
  void theScheduleIsThatOfWeights() {
    Channels channels = new Channels(0.9, 10, 14, 0.5, 2, 3, List.of());
    assertEquals(OptionalDouble.of(0.9 - 0.4 * 0.125), channels.dueAfter(12));
    assertEquals(OptionalDouble.empty(), channels.dueAfter(13));
    assertEquals(OptionalDouble.of(0.9), channels.dueAfter(14));
    assertEquals(new Channels(0.5, 1, 9, 0, 100, 3, List.of()), new Channels(0.5, 1, 9));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.25, 0.5, 0.9, 0.99})
  void inEachGroupTheChannelsOfTheLeastFiltersGo(double target) {
    Map<String, double[]> before = new TreeMap<>();
    blocks().forEach(block -> before.put(block, norms(block)));
    try (NoGradGuard noGrad = new NoGradGuard()) {
      parameters()
          .forEach((name, weight) -> weight.add_(new Scalar(name.endsWith("bias") ? 1 : 0)));
    }
    long all = 0;
    long gone = 0;
    try (PruningMasks masks = new PruningMasks(atOnce(target), net)) {
      masks.after(1);
      for (String block : blocks()) {
        double[] norms = before.get(block);
        List<Integer> pruned = pruned(block);
        assertEquals(
            Math.min(Math.round(target * norms.length), norms.length - 1), pruned.size(), block);
        double largest = pruned.stream().mapToDouble(at -> norms[at]).max().orElse(0);
        IntStream.range(0, norms.length)
            .filter(at -> !pruned.contains(at))
            .forEach(at -> assertTrue(norms[at] >= largest, block));
        all += norms.length;
        gone += pruned.size();
      }
      assertEquals((double) gone / all, masks.sparsity(), 1e-12);
    }
    assertEquals(List.of(), pruned("decoder"), "the features stay whole");
    Tensor reads = parameters().get("decoder_conv.weight").detach().abs().sum(0, 2, 3);
    double[] columns = Tensors.values(reads); // those of bottom, then those of skip
    IntStream.range(0, columns.length)
        .forEach(
            at ->
                assertEquals(
                    at < 12 ? pruned("bottom").contains(at) : pruned("skip").contains(at - 12),
                    columns[at] == 0));
  }

  @Test
  void aGroupThatIsExcludedStaysWhole() {
    try (PruningMasks masks = new PruningMasks(atOnce(0.5, "eighth", "sk"), net)) {
      masks.after(1);
    }
    for (String block : blocks()) {
      boolean whole = block.equals("eighth") || block.equals("skip");
      assertEquals(whole, pruned(block).isEmpty(), block);
    }
  }

  /** What is pruned does not come back, though an optimizer moves it; more follows. */
  @Test
  void channelsThatArePrunedStaySo() {
    Channels growing = new Channels(0.75, 0, 4, 0.25, 2, 1, List.of());
    List<Integer> before = new ArrayList<>();
    try (PruningMasks masks = new PruningMasks(growing, net)) {
      for (long step = 1; step <= 6; step++) {
        try (NoGradGuard noGrad = new NoGradGuard()) {
          parameters().values().forEach(weight -> weight.add_(new Scalar(0.5)));
        }
        masks.after(step);
        List<Integer> now = pruned("bottom");
        assertTrue(now.containsAll(before), "step " + step);
        before = now;
      }
      assertEquals(9, before.size(), "0.75 of 12");
    }
  }

  /** Both in the average, which remembers weights from before, and without one. */
  @ParameterizedTest
  @ValueSource(doubles = {0, 0.9})
  void aTrainedNetworkIsPruned(double ema) throws IOException {
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled")));
    Channels channels = new Channels(0.5, 1, 3, 0, 1, 3, List.of());
    TrainingConfig config = TrainingConfig.of(4, 0.01).withPruning(channels).withEma(ema);
    new Distiller(config, objective, SceneBatches.of(FashionScenes.bundled(), 2)).train(net);
    for (String block : blocks()) {
      assertEquals(Math.round(0.5 * width(block)), pruned(block).size(), block);
    }
  }

  @Test
  void impossibleSettingsAreRefused() {
    refused(
        "pruning: target is 1.0, expected a share greater than 0 and less than 1",
        () -> new Channels(1, 0, 10));
    refused(
        "pruning: begin is 10 and end is 10, expected 0 or more steps and more than these",
        () -> new Channels(0.5, 10, 10));
    refused(
        "pruning ends after 9 steps, expected at most those of the training, 8",
        () -> TrainingConfig.of(8, 0.1).withPruning(new Channels(0.5, 0, 9)));
    refused(
        "pruning: no group of channels begins with the excluded \"halb\", there are: bottom,"
            + " eighth, half, quarter, skip; did you mean \"half\"?",
        () -> new PruningMasks(atOnce(0.5, "halb"), net));
    refused(
        "pruning: a target of 0.01 leaves all channels, since the largest group has 12 of them",
        () -> new PruningMasks(atOnce(0.01), net));
    refused(
        "pruning: a target of 0.5 leaves all channels, since the largest group has 0 of them",
        () -> new PruningMasks(atOnce(0.5, "bottom", "eighth", "half", "quarter", "skip"), net));
    try (MatrixFactorization other =
        new MatrixFactorization(new MatrixFactorization.Config(2, 2, 1), 1)) {
      refused(
          "pruning: channels cannot be removed from a MatrixFactorization, expected a network that"
              + " says which can, as a SegmentationNet does; kind: magnitude prunes the weights of any",
          () -> new PruningMasks(atOnce(0.5), other));
    }
  }
}
