package org.structkd.verify;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.Losses;
import org.structkd.loss.Needs;

/**
 * A loss on small maps in f32, against the same on the reference backend in f64.
 *
 * @param name of the loss
 * @param loss that takes maps or vectors, and classes as labels
 */
public record SelfCheck(String name, Loss loss) {
  /** The tolerance of golden numbers in f32. */
  public static final double TOLERANCE = 1e-5;

  /** Odd sizes, so that no tile of a kernel is full. */
  private static final long[] SHAPE = {2, 19, 9, 11};

  /** All presets of the losses that have kernels. */
  public static final List<SelfCheck> ALL =
      Losses.all().stream()
          .filter(entry -> entry.kind() == Losses.Kind.KERNEL)
          .flatMap(
              entry ->
                  entry.presets().stream()
                      .map(name -> new SelfCheck(entry.id() + " " + name, entry.create(name))))
          .toList();

  /**
   * What a check found.
   *
   * @param error the larger relative error of value and gradient
   * @param plan what the kernel chose, or that none ran
   */
  public record Outcome(double error, String plan) {
    public boolean passed() {
      return error <= TOLERANCE; // a NaN has not passed
    }
  }

  /** Runs both sides; {@link NativeOps#useBackend} is where it was before afterwards. */
  public Outcome run() {
    try (PointerScope scope = new PointerScope()) {
      GoldenResult found = valueAndGradient(ScalarType.Float);
      String plan =
          found.composition()
              ? "composed of LibTorch operators"
              : NativeCall.of(NativeOps::lastPlan);
      GoldenResult truth;
      try (Backend.Use use = Backend.REFERENCE.use()) {
        truth = valueAndGradient(ScalarType.Double);
      }
      double value = relativeError(found.outputs().get("loss"), truth.outputs().get("loss"));
      double gradient =
          relativeError(found.gradients().get("S").values(), truth.gradients().get("S").values());
      return new Outcome(Math.max(value, gradient), plan);
    }
  }

  private GoldenResult valueAndGradient(ScalarType dtype) {
    Tensor student = output(2.0, 0.7, 0.3).to(dtype).detach();
    student.set_requires_grad(true);
    Tensor teacher = output(3.0, 1.3, 1.1).to(dtype);
    Map<String, Tensor> labels =
        loss.needs().targets().isEmpty()
            ? Map.of()
            : Map.of(LossInputs.LABELS, teacher.argmax(new LongOptional(1), false));
    Tensor value =
        loss.forward(
            new LossInputs(
                inAllRoles(loss.needs().student(), student),
                inAllRoles(loss.needs().teacher(), teacher),
                labels,
                Map.of(),
                OptionalLong.empty(),
                1,
                null));
    return GoldenResult.of(value, Map.of("S", student));
  }

  private static Map<String, Tensor> inAllRoles(List<Needs.Role> roles, Tensor map) {
    return roles.stream().collect(Collectors.toMap(Needs.Role::name, role -> map));
  }

  /** A map that f32 holds exactly, as rows where the loss takes vectors alone. */
  private Tensor output(double a, double b, double c) {
    double[] values = new double[(int) GoldenTensor.elements(SHAPE)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (a * Math.sin(b * i + c));
    }
    Tensor map = Tensor.create(values, SHAPE);
    boolean takesMaps =
        loss.needs().student().stream()
            .allMatch(role -> role.ranks().isEmpty() || role.ranks().contains(SHAPE.length));
    return takesMaps ? map : map.reshape(SHAPE[0] * SHAPE[2], SHAPE[1] * SHAPE[3]);
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
