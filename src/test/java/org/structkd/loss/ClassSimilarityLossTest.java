package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Similarities of classes over the map. */
@InScope
class ClassSimilarityLossTest {
  private static final ClassSimilarityLoss LOSS = ClassSimilarityLoss.cirkd();

  @Test
  void anOffsetOfAClassAndTheOrderOfPositionsDoNotMatter() {
    Tensor student = Tensors.gaussian(1, 2, 4, 8, 6);
    Tensor teacher = Tensors.gaussian(2, 2, 4, 8, 6);
    double value = LOSS.forward(student, teacher).item_double();
    Tensor offsets = Tensors.gaussian(3, 1, 4, 1, 1);
    assertEquals(
        value, LOSS.forward(student.add(offsets).flip(2, 3), teacher).item_double(), 1e-15);
    assertEquals(0, LOSS.forward(student, student).item_double());
  }

  /** Two classes, each at one of two places: A is the unit matrix, or full of ones. */
  @Test
  void theLargestDistanceByHand() {
    ClassSimilarityLoss all = new ClassSimilarityLoss(Pooling.none(), 1);
    Tensor apart = Tensor.create(new double[] {900, 0, 0, 900}, 1, 2, 2, 1);
    Tensor together = Tensor.create(new double[] {900, 0, 900, 0}, 1, 2, 2, 1);
    assertEquals(0.5, all.forward(apart, together).item_double(), 1e-15);
  }

  @Test
  void equalLogitsHaveAFiniteGradient() {
    Tensor student = Tensors.leaf(torch.ones(2, 3, 4, 4), ScalarType.Float);
    LOSS.forward(student, Tensors.gaussian(1, 2, 3, 4, 4).mul(new Scalar(99))).backward();
    assertTrue(student.grad().isfinite().all().item_bool());
  }

  @Test
  void whatHasNoMeaningIsRefused() {
    Tensor window = Tensors.gaussian(1, 2, 3, 2, 2);
    assertTrue(refusal(() -> LOSS.forward(window, window)).contains("one position after pooling"));
    assertTrue(
        refusal(
                () ->
                    LOSS.forward(Tensors.gaussian(1, 2, 4, 4, 4), Tensors.gaussian(1, 2, 3, 4, 4)))
            .contains("differ in number of channels"));
  }
}
