package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Which items are drawn, and how often. */
@InScope
class CollaborativeDistillationLossTest {
  @Test
  void whatIsDrawnIsAFunctionOfSeedAndStep() {
    Tensor student = Tensors.gaussian(1, 4, 60);
    Tensor teacher = Tensors.gaussian(2, 4, 60);
    CollaborativeDistillationLoss loss = new CollaborativeDistillationLoss(5, 1, 10, false, 3);
    double first = loss.forward(ScoreInputs.of(student, teacher, null, 7)).item_double();
    assertEquals(first, loss.forward(ScoreInputs.of(student, teacher, null, 7)).item_double());
    assertNotEquals(first, loss.forward(ScoreInputs.of(student, teacher, null, 8)).item_double());
    CollaborativeDistillationLoss other = new CollaborativeDistillationLoss(5, 1, 10, false, 4);
    assertNotEquals(first, other.forward(ScoreInputs.of(student, teacher, null, 7)).item_double());
  }

  /** Over many steps an item is drawn as often as its share of the weights says. */
  @Test
  void theTeachersFirstRanksAreDrawnMost() {
    CollaborativeDistillationLoss loss = new CollaborativeDistillationLoss(1, 1, 1, false, 0);
    Tensor teacher = ScoreInputs.row(3, 2, 1);
    int[] drawn = new int[3];
    int steps = 3000;
    for (int step = 0; step < steps; step++) {
      try (PointerScope call = new PointerScope()) {
        Tensor student = ScoreInputs.row(0, 0, 0);
        loss.forward(ScoreInputs.of(student, teacher, null, step)).backward();
        drawn[(int) student.grad().ne(new Scalar(0)).to(ScalarType.Double).argmax().item_long()]++;
      }
    }
    double all = Math.exp(-1) + Math.exp(-2) + Math.exp(-3);
    for (int item = 0; item < 3; item++) {
      double share = Math.exp(-1 - item) / all;
      double deviation = Math.sqrt(share * (1 - share) / steps);
      assertEquals(share, drawn[item] / (double) steps, 5 * deviation, "item " + item);
    }
  }

  @Test
  void ratedItemsTakeNoPart() {
    ScoreInputs.requireRatedLeftOut(CollaborativeDistillationLoss.standard());
  }

  @Test
  void largeScoresDoNotOverflow() {
    ScoreInputs.requireFiniteForLargeScores(CollaborativeDistillationLoss.allItems());
  }

  @Test
  void impossibleInputIsRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> new CollaborativeDistillationLoss(0, 1, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new CollaborativeDistillationLoss(1, 0, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new CollaborativeDistillationLoss(1, 1, Double.NaN, true, 0));
  }
}
