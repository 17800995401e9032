package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Order at the top, above others, worked out by hand. */
@InScope
class RelaxedRankingDistillationLossTest {
  @Test
  void theTopIsOrderedAboveTheOthers() {
    RelaxedRankingDistillationLoss loss = new RelaxedRankingDistillationLoss(2, 9, false, 0);
    double value = ScoreInputs.value(loss, ScoreInputs.row(1, 2, 0.5), ScoreInputs.row(3, 2, 1));
    double e = Math.exp(1);
    double expected =
        -1 + Math.log(e + Math.exp(2) + Math.exp(0.5)) - 2 + Math.log(Math.exp(2) + Math.exp(0.5));
    assertEquals(expected, value, 1e-14);
  }

  @Test
  void ratedItemsTakeNoPart() {
    ScoreInputs.requireRatedLeftOut(RelaxedRankingDistillationLoss.released());
  }

  @Test
  void largeScoresDoNotOverflow() {
    ScoreInputs.requireFiniteForLargeScores(RelaxedRankingDistillationLoss.allItems());
  }

  @Test
  void impossibleInputIsRefused() {
    Tensor one = Tensors.gaussian(1, 3, 1);
    assertThrows(
        IllegalArgumentException.class,
        () -> ScoreInputs.value(RelaxedRankingDistillationLoss.allItems(), one, one));
    assertThrows(
        IllegalArgumentException.class, () -> new RelaxedRankingDistillationLoss(0, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new RelaxedRankingDistillationLoss(1, -1, true, 0));
  }
}
