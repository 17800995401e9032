package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Boundaries of neurons: mmrazor's numbers, the margin, and the connector. */
@InScope
class ActivationBoundaryLossTest {
  private static final ActivationBoundaryLoss LOSS = ActivationBoundaryLoss.withoutConnector();

  @Test
  void theReleasedCodeGivesTheSame() {
    Tensor student = Tensors.leaf(Tensors.sine(1, 0.37, 0.2, 0, 2, 6, 6, 8), ScalarType.Double);
    Tensor loss = LOSS.forward(student, Tensors.sine(1.5, 0.61, 0.9, 0, 2, 6, 6, 8));
    assertEquals(1.3038773514652309, loss.item_double(), 1e-13);
    loss.backward();
    assertEquals(1.7349812147982082, student.grad().abs().sum().item_double(), 1e-13);
    assertEquals(0.02497130985638637, student.grad().sum().item_double(), 1e-13);
  }

  @Test
  void aNeuronOnTheRightSideByTheMarginCostsNothing() {
    Tensor teacher = Tensor.create(new double[] {2, -2, 0, 1}, 1, 4, 1, 1);
    Tensor right = Tensor.create(new double[] {1, -1, -1, 5}, 1, 4, 1, 1);
    assertEquals(0, LOSS.forward(right, teacher).item_double());
    Tensor wrong = Tensor.create(new double[] {-1, 0, -1, 5}, 1, 4, 1, 1);
    assertEquals(3e-3 * (4 + 1), LOSS.forward(wrong, teacher).item_double(), 1e-15);
  }

  private static LossInputs inputs(Tensor student, Tensor teacher, TrainedPart part) {
    return new LossInputs(
        Map.of("features", student),
        Map.of("features", teacher),
        Map.of(),
        Map.of(),
        OptionalLong.empty(),
        0,
        part);
  }

  @Test
  void theConnectorBringsOtherChannelsAndLearns() {
    ActivationBoundaryLoss loss = ActivationBoundaryLoss.released();
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 4, 4), ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 2, 8, 4, 4).to(ScalarType.Float);
    try (TrainedPart part = loss.trainedPart(inputs(student, teacher, null), 7).orElseThrow()) {
      loss.forward(inputs(student, teacher, part)).backward();
      Tensor weight = part.module().named_parameters().get("convolution.weight");
      assertEquals(8, weight.size(0));
      assertTrue(weight.grad().abs().sum().item_double() > 0);
      assertTrue(student.grad().abs().sum().item_double() > 0);
    }
    assertTrue(LOSS.trainedPart(inputs(student, teacher, null), 7).isEmpty());
  }

  @Test
  void otherChannelsWithoutAConnectorAreRefused() {
    Tensor student = Tensors.gaussian(1, 2, 3, 4, 4);
    Tensor teacher = Tensors.gaussian(2, 2, 8, 4, 4);
    assertThrows(IllegalArgumentException.class, () -> LOSS.forward(student, teacher));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> ActivationBoundaryLoss.released().forward(inputs(student, teacher, null)));
    assertTrue(e.getMessage().contains("it has no connector"), e.getMessage());
  }
}
