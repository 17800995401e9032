package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.loss.PairwiseLoss.EpsMode;
import org.structkd.loss.PairwiseLoss.NormGradient;
import org.structkd.loss.PairwiseLoss.Reduction;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** The composition for ranks computes what the kernel computes, here for a share that is all. */
@InScope
class SharedPairsTest {
  /** Rank 0 of one. */
  private static final class Whole implements SharedBatch {
    @Override
    public int ranks() {
      return 1;
    }

    @Override
    public void add(Tensor own) {}
  }

  static List<PairwiseLoss> variants() {
    List<PairwiseLoss> variants = new ArrayList<>();
    for (NormGradient norm : NormGradient.values()) {
      for (EpsMode mode : EpsMode.values()) {
        for (Reduction reduction : Reduction.values()) {
          variants.add(
              PairwiseLoss.ftdReleased()
                  .withNorm(norm)
                  .withEps(mode, 0.5)
                  .withReduction(reduction));
        }
      }
    }
    variants.add(PairwiseLoss.ftdReleased().withPooling(Pooling.max(2, 2)));
    return variants;
  }

  private static Tensor value(
      PairwiseLoss loss,
      Tensor student,
      Tensor teacher,
      @Nullable Tensor labels,
      @Nullable SharedBatch shared) {
    LossInputs inputs =
        new LossInputs(
            Map.of("features", student),
            Map.of("features", teacher),
            labels == null ? Map.of() : Map.of(LossInputs.LABELS, labels),
            Map.of(),
            labels == null ? OptionalLong.empty() : OptionalLong.of(255),
            0,
            null,
            shared);
    return loss.forward(inputs);
  }

  private static void assertSame(
      PairwiseLoss loss, Tensor student, Tensor teacher, @Nullable Tensor labels, double most) {
    ScalarType type = student.scalar_type().intern();
    Tensor one = Tensors.leaf(student, type);
    Tensor other = Tensors.leaf(student, type);
    Tensor kernel = value(loss, one, teacher, labels, null);
    Tensor composed = value(loss, other, teacher, labels, new Whole());
    assertEquals(kernel.scalar_type().intern(), composed.scalar_type().intern());
    assertTrue(Tensors.relativeError(composed, kernel) <= most, composed + " of " + kernel);
    kernel.backward();
    composed.backward();
    double error = Tensors.relativeError(other.grad(), one.grad());
    assertTrue(error <= most, "gradient is off by " + error);
  }

  @ParameterizedTest
  @MethodSource("variants")
  void isTheKernelsLossOfMapsWithShortAndUnlabelledNodes(PairwiseLoss loss) {
    Tensor student = Tensors.gaussian(1, 3, 4, 4, 4);
    Tensor teacher = Tensors.gaussian(2, 3, 5, 4, 4);
    student.select(0, 0).select(1, 0).mul_(new Scalar(0)); // a row of nodes without length
    student.select(0, 1).select(1, 2).mul_(new Scalar(0.1)); // and of nodes below eps
    assertSame(loss, student, teacher, null, 1e-9);
    Tensor labels = Tensors.gaussian(3, 3, 4, 4).gt(new Scalar(0.5)).to(ScalarType.Long);
    labels.mul_(new Scalar(255));
    assertSame(loss, student, teacher, labels, 1e-9);
  }

  @Test
  void aNodeWithoutALabelMayBeNan() {
    Tensor student = Tensors.gaussian(1, 2, 4, 3, 3);
    student.select(0, 0).select(1, 0).mul_(new Scalar(Double.NaN));
    Tensor labels = Tensors.gaussian(3, 2, 3, 3).mul(new Scalar(0)).to(ScalarType.Long);
    labels.select(0, 0).select(0, 0).add_(new Scalar(255));
    assertSame(PairwiseLoss.ftdReleased(), student, Tensors.gaussian(2, 2, 4, 3, 3), labels, 1e-9);
  }

  @Test
  void takesVectorsAndTokensOfF32() {
    Tensor student = Tensors.gaussian(1, 6, 4).to(ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 6, 5).to(ScalarType.Float);
    assertSame(PairwiseLoss.ftdReleased(), student, teacher, null, 1e-5);
    Tensor tokens = Tensors.gaussian(1, 3, 7, 4).to(ScalarType.Float);
    assertSame(
        PairwiseLoss.ftdReleased(),
        tokens,
        Tensors.gaussian(2, 3, 7, 5).to(ScalarType.Float),
        null,
        1e-5);
  }

  @Test
  void noNodeWithALabelIsNoLoss() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 4, 3, 3), ScalarType.Double);
    Tensor labels = Tensors.gaussian(3, 2, 3, 3).mul(new Scalar(0)).to(ScalarType.Long);
    labels.add_(new Scalar(255));
    PairwiseLoss mean = PairwiseLoss.ftdReleased().withReduction(Reduction.MEAN);
    Tensor value = value(mean, student, Tensors.gaussian(2, 2, 4, 3, 3), labels, new Whole());
    value.backward();
    assertEquals(0, value.item_double());
    assertEquals(0, student.grad().abs().max().item_double());
  }
}
