package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Weights by position and by how far the student is off, worked out by hand. */
@InScope
class RankingDistillationLossTest {
  private static double logSigmoid(double x) {
    return -Math.log1p(Math.exp(-x));
  }

  @Test
  void positionsWeighAsTheTeacherRanks() {
    RankingDistillationLoss loss = new RankingDistillationLoss(2, 1, 0.1, 0, 0, false, 0);
    Tensor student = ScoreInputs.row(0.5, -1, 2, 0);
    Tensor teacher = ScoreInputs.row(1, 3, 0, 2); // items 1 and 3 are the best
    double first = 1 / (1 + Math.exp(-1));
    assertEquals(
        -first * logSigmoid(-1) - (1 - first) * logSigmoid(0),
        ScoreInputs.value(loss, student, teacher),
        1e-15);
  }

  @Test
  void anItemThatTheStudentRanksWellEnoughWeighsNothing() {
    RankingDistillationLoss loss = new RankingDistillationLoss(1, 1, 0.1, 100, 3, false, 0);
    Tensor teacher = ScoreInputs.row(3, 2, 1, 0);
    Tensor high = ScoreInputs.row(9, 2, 1, 0);
    Tensor low = ScoreInputs.row(-9, 2, 1, 0); // three of four items are above it
    assertEquals(0, loss.forward(ScoreInputs.of(high, teacher, null, 3)).item_double());
    assertEquals(-logSigmoid(9), ScoreInputs.value(loss, high, teacher), 1e-15); // before its start
    assertEquals(
        -Math.tanh(0.1 * 3) * logSigmoid(-9),
        loss.forward(ScoreInputs.of(low, teacher, null, 3)).item_double(),
        1e-14);
  }

  @Test
  void ratedItemsTakeNoPart() {
    ScoreInputs.requireRatedLeftOut(RankingDistillationLoss.released());
  }

  @Test
  void impossibleInputIsRefused() {
    Tensor scores = Tensors.gaussian(1, 3, 4);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                RankingDistillationLoss.released()
                    .forward(ScoreInputs.of(scores, scores, torch.zeros(3, 5), 0)));
    assertTrue(e.getMessage().contains("rated [3, 5]"), e.getMessage());
    assertThrows(
        IllegalArgumentException.class, () -> new RankingDistillationLoss(0, 1, 1, 1, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new RankingDistillationLoss(1, Double.NaN, 1, 1, 1, true, 0));
  }
}
