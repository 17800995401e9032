package org.structkd.verify;

import java.util.List;
import java.util.function.BinaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.Sampling;

/**
 * A loss on small maps in f32, against the same on the reference backend in f64.
 *
 * @param name of the loss
 * @param loss of a student's and a teacher's map
 */
public record SelfCheck(String name, BinaryOperator<Tensor> loss) {
  /** The tolerance of golden numbers in f32. */
  public static final double TOLERANCE = 1e-5;

  /** Odd sizes, so that no tile of a kernel is full. */
  private static final long[] SHAPE = {2, 19, 9, 11};

  public static final List<SelfCheck> ALL =
      List.of(
          new SelfCheck("pixelwise", PixelwiseLoss.kd().withTemperature(4)::forward),
          new SelfCheck("pairwise", PairwiseLoss.skdCvpr19()::forward),
          new SelfCheck("inter_class_similarity", InterClassSimilarityLoss.paper()::forward),
          new SelfCheck("global_structural", SelfCheck::globalStructural));

  /** Samples and permutations are drawn, the same on every backend. */
  private static Tensor globalStructural(Tensor student, Tensor teacher) {
    return GlobalStructuralLoss.standard()
        .withSampling(Sampling.random(40))
        .forward(student, teacher, 1);
  }

  /**
   * What a check found.
   *
   * @param error the larger relative error of value and gradient
   * @param plan what the kernel chose
   */
  public record Outcome(double error, String plan) {
    public boolean passed() {
      return error <= TOLERANCE; // a NaN has not passed
    }
  }

  /** Runs both sides; {@link NativeOps#useBackend} is where it was before afterwards. */
  public Outcome run() {
    try (PointerScope scope = new PointerScope()) {
      double[][] kernel = valueAndGradient(ScalarType.Float);
      String plan = NativeCall.of(NativeOps::lastPlan);
      double[][] truth = reference();
      return new Outcome(
          Math.max(relativeError(kernel[0], truth[0]), relativeError(kernel[1], truth[1])), plan);
    }
  }

  private double[][] reference() {
    try (Backend.Use use = Backend.REFERENCE.use()) {
      return valueAndGradient(ScalarType.Double);
    }
  }

  private double[][] valueAndGradient(ScalarType dtype) {
    Tensor student = map(2.0, 0.7, 0.3).to(dtype).detach();
    student.set_requires_grad(true);
    Tensor value = loss.apply(student, map(3.0, 1.3, 1.1).to(dtype));
    value.backward();
    return new double[][] {
      GoldenResult.valuesOf(value), GoldenResult.valuesOf(student.grad()),
    };
  }

  /** A map that f32 holds exactly. */
  private static Tensor map(double a, double b, double c) {
    double[] values = new double[(int) GoldenTensor.elements(SHAPE)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (a * Math.sin(b * i + c));
    }
    return Tensor.create(values, SHAPE);
  }

  /** L2 norm of the difference over that of the truth. */
  private static double relativeError(double[] actual, double[] truth) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < truth.length; i++) {
      difference += (actual[i] - truth[i]) * (actual[i] - truth[i]);
      norm += truth[i] * truth[i];
    }
    return Math.sqrt(difference / norm);
  }
}
