package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Similarities of images: what they depend on. */
@InScope
class SimilarityPreservingLossTest {
  private static final SimilarityPreservingLoss LOSS = SimilarityPreservingLoss.standard();

  @Test
  void turningAndScalingALayerChangesNothing() {
    Tensor student = Tensors.gaussian(1, 6, 3, 4, 4);
    Tensor teacher = Tensors.gaussian(2, 6, 5, 2, 7);
    double value = LOSS.forward(student, teacher).item_double();
    Tensor turned = student.flip(1, 2, 3).mul(new Scalar(-5));
    assertEquals(value, LOSS.forward(turned, teacher).item_double(), 1e-15);
    assertEquals(0, LOSS.forward(turned, student).item_double(), 1e-30);
  }

  /** Images that are all alike, and images that have nothing in common. */
  @Test
  void theLargestDistanceByHand() {
    Tensor alike = torch.ones(4, 4).to(ScalarType.Double);
    Tensor apart = torch.eye(4).to(ScalarType.Double);
    // Rows (1/2, 1/2, 1/2, 1/2) and (1, 0, 0, 0): squared distance 1/4 + 3/4, four rows of 16.
    assertEquals(4.0 / 16, LOSS.forward(alike, apart).item_double(), 1e-15);
  }

  @Test
  void anImageOfZerosHasABoundedGradient() {
    Tensor rows = torch.cat(new TensorVector(torch.zeros(1, 4), torch.ones(2, 4)), 0);
    Tensor student = Tensors.leaf(rows, ScalarType.Float);
    LOSS.forward(student, Tensors.gaussian(1, 3, 4).to(ScalarType.Float)).backward();
    assertTrue(student.grad().abs().max().item_double() < 1); // F.normalize would give 1e12
  }

  @Test
  void oneImageIsRefused() {
    Tensor one = Tensors.gaussian(1, 1, 3, 4, 4);
    String said = refusal(() -> LOSS.forward(one, one));
    assertTrue(said.contains("student [1, 3, 4, 4] has one image"), said);
  }
}
