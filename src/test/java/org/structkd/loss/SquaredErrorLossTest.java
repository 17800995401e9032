package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.Tensors;

/** Numbers worked out by hand, and what is broadcast nowhere. */
class SquaredErrorLossTest {
  private static LossInputs inputs(Tensor student, Tensor teacher, Tensor ratings) {
    return new LossInputs(
        Map.of("prediction", student),
        Map.of("prediction", teacher),
        Map.of("ratings", ratings),
        Map.of(),
        OptionalLong.empty(),
        0,
        null);
  }

  @Test
  void theTargetOrTheTeacherIsTheMeasure() {
    try (PointerScope scope = new PointerScope()) {
      Tensor student = Tensors.leaf(Tensor.create(new double[] {1, 2, 4}), ScalarType.Double);
      LossInputs in =
          inputs(
              student,
              Tensor.create(new double[] {1, 2, 1}),
              Tensor.create(new double[] {2, 2, 2}));
      assertEquals(5 / 3.0, SquaredErrorLoss.toRatings().forward(in).item_double(), 1e-15);
      Tensor loss = SquaredErrorLoss.toTeacher().forward(in);
      assertEquals(3, loss.item_double(), 1e-15);
      loss.backward();
      assertArrayEquals(new double[] {0, 0, 2}, Tensors.values(student.grad()), 1e-15);
    }
  }

  @Test
  void anotherShapeIsRefusedWhereLibTorchWouldBroadcast() {
    try (PointerScope scope = new PointerScope()) {
      Tensor student = Tensors.gaussian(1, 3);
      LossInputs in = inputs(student, student, Tensors.gaussian(2, 3, 1));
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class, () -> SquaredErrorLoss.toRatings().forward(in));
      assertTrue(e.getMessage().contains("ratings [3, 1]"), e.getMessage());
      assertThrows(IllegalArgumentException.class, () -> new SquaredErrorLoss(" "));
    }
  }
}
