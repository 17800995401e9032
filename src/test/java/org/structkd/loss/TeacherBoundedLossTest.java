package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.Tensors;

/** The bound: who is worse than the teacher pays, in whole trajectories. */
class TeacherBoundedLossTest {
  private static Tensor paths(double... values) {
    return Tensor.create(values, values.length / 4, 2, 2);
  }

  @Test
  void aTrajectoryCountsUntilItBeatsTheTeachersByTheMargin() {
    try (PointerScope scope = new PointerScope()) {
      Tensor truth = paths(0, 0, 0, 0, 0, 0, 0, 0);
      Tensor student = Tensors.leaf(paths(2, 0, 0, 0, 0, 1, 1, 0), ScalarType.Double);
      Tensor teacher = paths(1, 0, 1, 0, 0, 2, 0, 0); // errors 4 and 2 against 2 and 4
      Tensor loss = TeacherBoundedLoss.trajectories().forward(student, teacher, truth);
      assertEquals(4 / 2.0, loss.item_double(), 1e-15);
      loss.backward();
      assertArrayEquals(
          new double[] {2, 0, 0, 0, 0, 0, 0, 0}, Tensors.values(student.grad()), 1e-15);
      assertEquals(
          2.0,
          new TeacherBoundedLoss("y", 1.5).forward(student, teacher, truth).item_double(),
          1e-15);
      assertEquals(
          (4 + 2) / 2.0,
          new TeacherBoundedLoss("y", 2.5).forward(student, teacher, truth).item_double(),
          1e-15);
    }
  }

  @Test
  void aStudentAsGoodAsItsTeacherPaysNothing() {
    try (PointerScope scope = new PointerScope()) {
      Tensor student = Tensors.gaussian(1, 3, 4, 2);
      Tensor truth = Tensors.gaussian(2, 3, 4, 2);
      TeacherBoundedLoss loss = TeacherBoundedLoss.trajectories();
      assertEquals(0, loss.forward(student, student, truth).item_double());
    }
  }

  @Test
  void impossibleInputIsRefused() {
    try (PointerScope scope = new PointerScope()) {
      Tensor paths = Tensors.gaussian(1, 3, 4, 2);
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () ->
                  TeacherBoundedLoss.trajectories()
                      .forward(paths, paths, Tensors.gaussian(1, 3, 2)));
      assertTrue(e.getMessage().contains("trajectories [3, 2]"), e.getMessage());
      assertThrows(IllegalArgumentException.class, () -> new TeacherBoundedLoss("", 0));
    }
  }
}
