package org.structkd.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.function.BinaryOperator;
import java.util.function.Function;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
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

  // Products of 16-bit numbers leave so much of a value by luck alone: a quarter of TF32's
  // rounding.
  private static final double NARROW_VALUE = Math.scalb(1.0, -13);

  // What a GradScaler begins with: f16 has no room for gradients of a mean over pairs.
  private static final double F16_SCALE = 65536;

  private AccuracyRule() {}

  /**
   * Asserts the rule for value and gradient.
   *
   * @param loss (student, teacher) to loss; its composition, evaluated in f64, is also the truth
   */
  public static void check(
      BinaryOperator<Tensor> loss, StudentTeacher.Kind kind, ScalarType dtype, long... shape) {
    check(
        loss,
        maps -> composed(loss, maps, dtype),
        new double[] {ALLOWANCE, ALLOWANCE},
        kind,
        dtype,
        shape);
  }

  /**
   * Asserts the rule for 16-bit maps against a composition that multiplies in their type.
   *
   * @param loss (student, teacher) to loss
   * @param eager the same formula of LibTorch operators, as autocast computes it
   */
  public static void checkNarrow(
      BinaryOperator<Tensor> loss,
      BinaryOperator<Tensor> eager,
      StudentTeacher.Kind kind,
      ScalarType dtype,
      long... shape) {
    check(
        loss,
        maps -> valueAndGradient(eager, maps, dtype),
        new double[] {NARROW_VALUE, ALLOWANCE},
        kind,
        dtype,
        shape);
  }

  private static void check(
      BinaryOperator<Tensor> loss,
      Function<StudentTeacher, double[][]> eager,
      double[] allowance,
      StudentTeacher.Kind kind,
      ScalarType dtype,
      long... shape) {
    double[] ours = new double[2];
    double[] theirs = new double[2];
    for (int seed = 1; seed <= SEEDS; seed++) {
      try (PointerScope scope = new PointerScope()) {
        StudentTeacher maps = StudentTeacher.of(kind, seed, dtype, shape);
        double[][] truth = composed(loss, maps, ScalarType.Double);
        double[][] kernelResult = valueAndGradient(loss, maps, dtype);
        double[][] eagerResult = eager.apply(maps);
        for (int part = 0; part < 2; part++) {
          ours[part] = worse(ours[part], kernelResult[part], truth[part]);
          theirs[part] = worse(theirs[part], eagerResult[part], truth[part]);
        }
      }
    }
    for (int part = 0; part < 2; part++) {
      double limit = 2 * theirs[part] + allowance[part];
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
    double scale = dtype == ScalarType.Half ? F16_SCALE : 1;
    value.mul(new Scalar(scale)).backward();
    double[] gradient = Tensors.values(student.grad());
    Arrays.setAll(gradient, i -> gradient[i] / scale);
    return new double[][] {Tensors.values(value), gradient};
  }
}
