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

/** Correlations of probabilities: their parts, their range, and where they do not exist. */
@InScope
class DistLossTest {
  private static final DistLoss LOSS = DistLoss.standard();
  private static final DistLoss INTER = new DistLoss(1, 0, 1);
  private static final DistLoss INTRA = new DistLoss(0, 1, 1);

  @Test
  void agreementIsZeroAndTheWeightsAddTheParts() {
    Tensor student = Tensors.gaussian(1, 3, 5, 4, 4);
    Tensor teacher = Tensors.gaussian(2, 3, 5, 4, 4);
    assertEquals(0, LOSS.forward(student, student).item_double(), 1e-6);
    double inter = INTER.forward(student, teacher).item_double();
    double intra = INTRA.forward(student, teacher).item_double();
    assertEquals(inter + intra, LOSS.forward(student, teacher).item_double(), 1e-14);
    assertEquals(
        2 * inter + 0.5 * intra,
        new DistLoss(2, 0.5, 1).forward(student, teacher).item_double(),
        1e-14);
  }

  /** Correlation does not see scale: the teacher's gaps between classes may be larger. */
  @Test
  void twoClassesCorrelateWhollyOrNotAtAll() {
    Tensor student = Tensor.create(new double[] {1, 0, 0, 1}, 2, 2);
    Tensor teacher = Tensor.create(new double[] {9, 0, 0, 5}, 2, 2);
    assertEquals(0, INTER.forward(student, teacher).item_double(), 1e-6);
    assertEquals(2, INTER.forward(student.flip(1), teacher).item_double(), 1e-6);
  }

  @Test
  void classificationIsAMapOfOnePosition() {
    Tensor student = Tensors.gaussian(1, 6, 4);
    Tensor teacher = Tensors.gaussian(2, 6, 4);
    assertEquals(
        LOSS.forward(student.view(6, 4, 1, 1), teacher.view(6, 4, 1, 1)).item_double(),
        LOSS.forward(student, teacher).item_double());
  }

  @Test
  void equalProbabilitiesHaveAFiniteGradient() {
    Tensor student = Tensors.leaf(torch.ones(3, 5), ScalarType.Float);
    Tensor value = LOSS.forward(student, Tensors.gaussian(1, 3, 5).to(ScalarType.Float));
    assertEquals(2, value.item_double());
    value.backward();
    assertTrue(student.grad().isfinite().all().item_bool());
  }

  @Test
  void whatHasNoMeaningIsRefused() {
    Tensor oneClass = Tensors.gaussian(1, 4, 1);
    assertTrue(refusal(() -> LOSS.forward(oneClass, oneClass)).contains("has one channel"));
    Tensor onePixel = Tensors.gaussian(1, 1, 5);
    assertTrue(refusal(() -> INTRA.forward(onePixel, onePixel)).contains("has one pixel"));
    assertTrue(LOSS.forward(onePixel, onePixel.mul(new Scalar(2))).item_double() > 0);
    assertTrue(refusal(() -> new DistLoss(0, 0, 1)).contains("expected one of them"));
    assertTrue(refusal(() -> new DistLoss(1, 1, 0)).contains("temperature is 0.0"));
  }
}
