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

/** Correlations of channels with the teacher's. */
@InScope
class PearsonLossTest {
  private static final PearsonLoss LOSS = PearsonLoss.mmrazor();

  /** 1 - r, but for the deviation of M - 1 and the eps. */
  @Test
  void theValueIsOneMinusTheCorrelation() {
    Tensor student = Tensors.gaussian(1, 40, 1);
    Tensor teacher = Tensors.gaussian(2, 40, 1);
    Tensor s = student.sub(student.mean());
    Tensor t = teacher.sub(teacher.mean());
    double r =
        s.mul(t).sum().item_double()
            / Math.sqrt(s.square().sum().mul(t.square().sum()).item_double());
    assertEquals((1 - r) * 39 / 40, LOSS.forward(student, teacher).item_double(), 1e-5);
  }

  @Test
  void meanAndScaleOfAChannelDoNotMatter() {
    Tensor student = Tensors.gaussian(1, 2, 3, 4, 5);
    Tensor teacher = Tensors.gaussian(2, 2, 3, 4, 5);
    double value = LOSS.forward(student, teacher).item_double();
    Tensor scales = Tensors.gaussian(3, 1, 3, 1, 1).square().add(new Scalar(1));
    Tensor moved = student.mul(scales).add(Tensors.gaussian(4, 1, 3, 1, 1));
    assertEquals(value, LOSS.forward(moved, teacher).item_double(), 1e-5);
    assertEquals(0, LOSS.forward(moved, student).item_double(), 1e-11); // eps against deviation
    assertEquals(2 * 39 / 40.0, LOSS.forward(student.neg(), student).item_double(), 1e-5);
  }

  @Test
  void aConstantChannelHasAFiniteGradient() {
    Tensor student = Tensors.leaf(torch.ones(2, 3, 4, 4), ScalarType.Float);
    Tensor value = LOSS.forward(student, Tensors.gaussian(1, 2, 3, 4, 4).to(ScalarType.Float));
    assertEquals(0.5 * 31 / 32, value.item_double(), 1e-5);
    value.backward();
    assertTrue(student.grad().isfinite().all().item_bool());
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Tensor two = Tensors.gaussian(1, 2, 4);
    assertTrue(refusal(() -> LOSS.forward(two, two)).contains("fewer than 3 values"));
    assertTrue(
        refusal(() -> LOSS.forward(Tensors.gaussian(1, 5, 4), Tensors.gaussian(2, 5, 6)))
            .contains("differ in number of channels"));
    assertTrue(
        refusal(() -> LOSS.forward(Tensors.gaussian(1, 2, 6, 3), Tensors.gaussian(1, 2, 7, 3)))
            .contains("differ in number of positions"));
  }
}
