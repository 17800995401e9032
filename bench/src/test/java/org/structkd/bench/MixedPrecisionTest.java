package org.structkd.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Baselines of bf16 maps under autocast, which CudaBench times, on a CPU's tensors. */
class MixedPrecisionTest {
  static List<MeasuredLoss> losses() {
    return MeasuredLoss.all().stream()
        .filter(loss -> loss.listed().gpu().providers().contains("eager-bf16"))
        .toList();
  }

  /** As CudaBench requires of it. */
  @ParameterizedTest
  @MethodSource("losses")
  void ourErrorIsTheRoundingOfTheGradient(MeasuredLoss loss) {
    LossCase.Errors errors = errors(loss, "structkd");
    assertTrue(errors.value() < 1e-4, errors.toString());
    assertTrue(errors.gradient() < 0x1p-8, errors.toString());
  }

  /** A composition errs as its products do: more than one in f32, but it is the same formula. */
  @ParameterizedTest
  @MethodSource("losses")
  void compositionIsTheSameFormula(MeasuredLoss loss) {
    LossCase.Errors errors = errors(loss, "eager");
    assertTrue(errors.value() < 0.5, errors.toString());
    assertTrue(errors.gradient() > 1e-4 && errors.gradient() < 0.5, errors.toString());
  }

  private static LossCase.Errors errors(MeasuredLoss loss, String provider) {
    CaseShape shape = CaseShape.parse(loss.listed().small());
    LossCase mixed = LossCase.of(loss, shape, provider).inMixedPrecision();
    assertEquals(2 * (long) shape.elements(), mixed.gradientBytes());
    LossCase.Errors errors = mixed.errorsBesideCpu(mixed.call(Pass.FULL));
    assertTrue(!torch.is_autocast_enabled(DeviceType.CPU));
    return errors;
  }
}
