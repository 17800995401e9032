package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.structkd.loss.GlobalStructuralLoss.Comparison;
import org.structkd.loss.InterClassSimilarityLoss.Mode;
import org.structkd.loss.PairwiseLoss.NormGradient;
import org.structkd.loss.PairwiseLoss.Pairs;
import org.structkd.loss.Sampling.Strategy;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** A setting that makes a loss constant is refused, and no other one. */
@InScope
@Tag("emulated")
class ConstantLossTest {
  private static final InterClassSimilarityLoss PAPER = InterClassSimilarityLoss.paper();
  private static final PairwiseLoss PAIRWISE = PairwiseLoss.skdCvpr19();

  /** A loss with everything but the maps bound. */
  private interface Call {
    Tensor of(Tensor student, Tensor teacher);
  }

  private static void refused(String loss, String why, Call call, long... shape) {
    String said =
        assertThrows(
                IllegalArgumentException.class,
                () -> call.of(Tensors.gaussian(1, shape), Tensors.gaussian(2, shape)))
            .getMessage();
    assertTrue(said.startsWith(loss + ": it would be constant and teach nothing: "), said);
    assertTrue(said.contains(why), said);
  }

  /** The nearest setting that is not refused: its gradient is not 0. */
  private static void teaches(Call call, long... shape) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, shape), ScalarType.Double);
    Tensor loss = call.of(student, Tensors.gaussian(2, shape));
    loss.backward();
    double largest = student.grad().abs().max().item_double();
    assertTrue(largest > 1e-9, "gradient " + largest + ", loss " + loss.item_double());
  }

  @Test
  void aSoftmaxOverOneClass() {
    Call pixelwise = PixelwiseLoss.kd()::forward;
    refused("pixel-wise loss", "student [2, 1, 4, 4] has one channel", pixelwise, 2, 1, 4, 4);
    teaches(pixelwise, 2, 2, 4, 4);
    Tensor labels = torch.zeros(2, 4, 4).to(ScalarType.Long);
    Call withLabels = (s, t) -> PixelwiseLoss.skd().forward(s, t, labels, 255);
    refused("pixel-wise loss", "has one channel", withLabels, 2, 1, 4, 4);
    Call supervised = (s, t) -> CrossEntropyLoss.standard().forward(s, labels);
    refused("cross-entropy", "logits [2, 1, 4, 4] has one channel", supervised, 2, 1, 4, 4);
    teaches(supervised, 2, 2, 4, 4);
  }

  @Test
  void classesThatAreTooFewToBeRelated() {
    for (Mode mode : Mode.values()) {
      for (boolean unitRows : new boolean[] {false, true}) {
        Call call = new InterClassSimilarityLoss(mode, 1, unitRows)::forward;
        long least = (mode == Mode.PAPER ? 2 : 1) + (unitRows ? 1 : 0);
        for (long classes = 1; classes < least; classes++) {
          refused("inter-class similarity loss", "too few channels", call, 2, classes, 3, 4);
        }
        teaches(call, 2, least, 3, 4);
      }
    }
  }

  @Test
  void distributionsOverOnePixel() {
    for (Mode mode : Mode.values()) {
      Call call = new InterClassSimilarityLoss(mode, 1, false)::forward;
      refused("inter-class similarity loss", "has one ", call, 2, 3, 1, 1);
      teaches(call, 2, 3, 2, 1);
    }
    Call columns = PAPER.withRowNormalize(true)::forward;
    teaches(columns, 2, 3, 1, 4);
    refused(
        "inter-class similarity loss",
        "has one row",
        InterClassSimilarityLoss.aicsdReleased()::forward,
        2,
        3,
        1,
        4);
  }

  @Test
  void cosinesOfOneChannelOrOneNode() {
    Call pairwise = PAIRWISE::forward;
    refused("pair-wise loss", "has one channel", pairwise, 2, 1, 3, 4);
    teaches(PAIRWISE.withNorm(NormGradient.DETACHED)::forward, 2, 1, 3, 4);
    refused("pair-wise loss", "has one node to compare", pairwise, 2, 5, 1, 1);
    refused(
        "pair-wise loss",
        "has one node to compare",
        PAIRWISE.withPooling(Pooling.maxToNodes(1, 1))::forward,
        2,
        5,
        4,
        4);
    Call wholeBatch = PAIRWISE.withPairs(Pairs.WHOLE_BATCH)::forward;
    refused("pair-wise loss", "has one node to compare", wholeBatch, 1, 5, 1, 1);
    teaches(wholeBatch, 2, 5, 1, 1);
    teaches(pairwise, 2, 2, 2, 1);
  }

  private static Call structural(GlobalStructuralLoss config) {
    GlobalStructuralLoss loss = config;
    return (s, t) -> loss.forward(s, t, 1);
  }

  @Test
  void samplesThatLeaveNothingToCompare() {
    String name = "global structural loss";
    GlobalStructuralLoss eight =
        GlobalStructuralLoss.standard().withSampling(Sampling.random(8)).withGroupWidth(2);
    refused(name, "has one channel", structural(eight), 2, 1, 4, 4);
    refused(name, "at one pixel", structural(eight), 2, 3, 1, 1);
    refused(name, "at one pixel", structural(eight.withSampling(Sampling.random(1))), 2, 3, 4, 4);
    Sampling all = Sampling.all();
    refused(
        name,
        "teacher [2, 3, 4, 4] has at most 16 candidates, but minCandidates is 17, so",
        structural(eight.withSampling(all.withMinCandidates(17))),
        2,
        3,
        4,
        4);
    teaches(structural(eight.withSampling(all.withMinCandidates(16))), 2, 3, 4, 4);
    Sampling quadrants = all.withStrategy(Strategy.RANDOM_GRID, 8);
    refused(
        name,
        "at most 9 candidates in a quadrant",
        structural(eight.withSampling(quadrants.withMinCandidates(10))),
        2,
        3,
        5,
        5);
    teaches(structural(eight.withSampling(quadrants.withMinCandidates(9))), 2, 3, 5, 5);
    teaches(structural(eight.withSampling(Sampling.random(2))), 2, 2, 4, 4);
  }

  @Test
  void groupsThatLeaveNothingToCompare() {
    String name = "global structural loss";
    GlobalStructuralLoss rows =
        GlobalStructuralLoss.standard()
            .withSampling(Sampling.random(8))
            .withComparison(Comparison.ROW_DIVERGENCE);
    refused(
        name,
        "single columns, and a softmax over one is 1",
        structural(rows.withGroupWidth(1)),
        2,
        3,
        4,
        4);
    teaches(structural(rows.withGroupWidth(2)), 2, 3, 4, 4);
    GlobalStructuralLoss relation = rows.withComparison(Comparison.DESCRIPTOR_RELATION);
    for (long width : new long[] {0, 5, 8, 9, -5}) {
      refused(name, "less than two groups", structural(relation.withGroupWidth(width)), 2, 3, 4, 4);
    }
    teaches(structural(relation.withGroupWidth(4)), 2, 3, 4, 4);
    Call rowsOfOneClass = (s, t) -> relation.withGroupWidth(-3).forwardRows(s, t, 2, null, 1);
    refused(name, "less than two groups", rowsOfOneClass, 2, 11, 3);
    teaches(rowsOfOneClass, 2, 12, 3);
    Tensor labels = torch.arange(new Scalar(32)).reshape(2, 4, 4);
    Tensor classes = labels.remainder(new Scalar(2)).to(ScalarType.Long);
    GlobalStructuralLoss balanced =
        relation.withSampling(Sampling.standard().withTeacherCorrectOnly(false));
    Call five = (s, t) -> balanced.withGroupWidth(-5).forward(s, t, null, classes, 1);
    refused(name, "less than two groups", five, 2, 3, 4, 4);
    Call four = (s, t) -> balanced.withGroupWidth(-4).forward(s, t, null, classes, 1);
    teaches(four, 2, 3, 4, 4);
  }
}
