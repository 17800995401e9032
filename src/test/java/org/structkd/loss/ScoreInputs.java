package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.testing.Tensors;

/** Scores of items for losses of rankings, and what all of these losses do. */
final class ScoreInputs {
  private ScoreInputs() {}

  /** {@return the scores of one user, which collect a gradient} */
  static Tensor row(double... scores) {
    return Tensors.leaf(Tensor.create(scores, 1, scores.length), ScalarType.Double);
  }

  /** {@return the inputs of a step, with rated items unless null} */
  static LossInputs of(Tensor student, Tensor teacher, Tensor rated, long step) {
    return new LossInputs(
        Map.of("scores", student),
        Map.of("scores", teacher),
        rated == null ? Map.of() : Map.of("rated", rated),
        Map.of(),
        OptionalLong.empty(),
        step,
        null);
  }

  /** {@return the value at step 0, where every item takes part} */
  static double value(Loss loss, Tensor student, Tensor teacher) {
    return loss.forward(of(student, teacher, null, 0)).item_double();
  }

  /**
   * Checks that rated items get no gradient, and that a user of rated items alone costs nothing.
   */
  static void requireRatedLeftOut(Loss loss) {
    Tensor rated = Tensor.create(new long[] {0, 1, 0, 0, 1}, 1, 5);
    Tensor student = row(0, 0.5, 0.3, -0.2, 1);
    Tensor teacher = row(1, 9, 2, 3, 8);
    loss.forward(of(student, teacher, rated, 5)).backward();
    double[] gradient = Tensors.values(student.grad());
    for (int item = 0; item < 5; item++) {
      assertEquals(item == 1 || item == 4, gradient[item] == 0, "item " + item);
    }
    Tensor nothing = loss.forward(of(student, teacher, torch.ones_like(rated), 5));
    assertEquals(0, nothing.item_double());
  }

  /** Checks that scores of any size give a finite value and gradient. */
  static void requireFiniteForLargeScores(Loss loss) {
    Tensor student = row(1000, -1000, 500, 0);
    Tensor value = loss.forward(of(student, row(0, 3, 2, 1), null, 0));
    assertTrue(Double.isFinite(value.item_double()));
    value.backward();
    assertTrue(student.grad().isfinite().all().item_bool());
  }
}
