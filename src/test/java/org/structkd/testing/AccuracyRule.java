package org.structkd.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.BinaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The accuracy that a kernel owes: against f64, its relative L2 error is at most twice that of the
 * same formula composed of LibTorch operators in the same dtype (half precision in f32, rounded at
 * the end), plus 4 * 2^-24; each the maximum over seeds, since the error of one scalar can be small
 * by luck.
 */
public final class AccuracyRule {
  private static final int SEEDS = 5;
  private static final double ALLOWANCE = 4 * Math.scalb(1.0, -24);

  private AccuracyRule() {}

  /**
   * Asserts the rule for value and gradient.
   *
   * @param loss (student, teacher) to loss; its composition, evaluated in f64, is also the truth
   */
  public static void check(
      BinaryOperator<Tensor> loss, StudentTeacher.Kind kind, ScalarType dtype, long... shape) {
    double[] ours = new double[2];
    double[] theirs = new double[2];
    for (int seed = 1; seed <= SEEDS; seed++) {
      try (PointerScope scope = new PointerScope()) {
        StudentTeacher maps = StudentTeacher.of(kind, seed, dtype, shape);
        double[][] truth = composed(loss, maps, ScalarType.Double);
        double[][] kernelResult = valueAndGradient(loss, maps, dtype);
        double[][] eagerResult = composed(loss, maps, dtype);
        for (int part = 0; part < 2; part++) {
          ours[part] = worse(ours[part], kernelResult[part], truth[part]);
          theirs[part] = worse(theirs[part], eagerResult[part], truth[part]);
        }
      }
    }
    for (int part = 0; part < 2; part++) {
      double limit = 2 * theirs[part] + ALLOWANCE;
      String what =
          "%s of %s %s: error %.3g, of eager %.3g, limit %.3g"
              .formatted(
                  part == 0 ? "value" : "gradient", kind, dtype, ours[part], theirs[part], limit);
      assertTrue(ours[part] <= limit, what);
    }
  }

  private static double worse(double worst, double[] actual, double[] truth) {
    return Math.max(worst, Tensors.relativeError(actual, truth));
  }

  private static double[][] composed(
      BinaryOperator<Tensor> loss, StudentTeacher maps, ScalarType dtype) {
    return OnBackend.of("composed", () -> valueAndGradient(loss, maps, dtype));
  }

  private static double[][] valueAndGradient(
      BinaryOperator<Tensor> loss, StudentTeacher maps, ScalarType dtype) {
    Tensor student = Tensors.leaf(maps.student(), dtype);
    Tensor value = loss.apply(student, maps.teacher().to(dtype));
    value.backward();
    return new double[][] {Tensors.values(value), Tensors.values(student.grad())};
  }
}
