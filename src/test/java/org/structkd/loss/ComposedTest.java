package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Operator;
import org.structkd.testing.InScope;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.MadeInputs;
import org.structkd.testing.Tensors;
import org.structkd.testing.Variants;

/**
 * Each loss composed of LibTorch's operators is the loss of the reference, in all its options: so
 * every constant of an enum that crosses is known to native code, too.
 */
@InScope
class ComposedTest {
  private static final MadeInputs.Sizes SIZES = new MadeInputs.Sizes(2, 5, 5, 7);

  /** A class of which some positions are; what is left out is them. */
  private static final OptionalLong LEFT_OUT = OptionalLong.of(3);

  /**
   * A loss in one variant.
   *
   * @param masked whether the positions of a class take no part
   */
  record Case(LossUnderTest loss, boolean masked) {
    LossInputs inputs() {
      LossInputs in = loss.inputs(SIZES);
      return masked ? MadeInputs.with(in, LEFT_OUT, null) : in;
    }

    @Override
    public String toString() {
      return loss.loss() + (masked ? " masked" : "");
    }
  }

  static Stream<Case> cases() {
    return Losses.all().stream()
        .filter(entry -> entry.kind() == Losses.Kind.KERNEL)
        .flatMap(
            entry ->
                entry.presets().stream()
                    .flatMap(preset -> Variants.of((Record) entry.create(preset)).stream())
                    .distinct()
                    .map(variant -> LossUnderTest.of(entry, (Loss) variant)))
        .flatMap(
            loss ->
                Stream.of(false, true)
                    .filter(masked -> !masked || loss.loss().needs().masks())
                    .map(masked -> new Case(loss, masked)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheReference(Case one) {
    LossInputs in = one.inputs();
    LossUnderTest.Outcome expected = one.loss.on("reference").outcome(in);
    LossUnderTest.Outcome actual = one.loss.on("composed").outcome(in);
    double error = actual.errorAgainst(expected);
    assertTrue(error < 1e-10, "value or gradient differs by " + error);
  }

  @ParameterizedTest
  @MethodSource("org.structkd.testing.LossUnderTest#kernels")
  void withoutAKernelTheLossIsComposed(LossUnderTest loss) {
    LossInputs in = LossUnderTest.leaves(loss.inputs());
    Tensor byKernel = loss.forward(in);
    Tensor composed = loss.on("composed").forward(in);
    assertTrue(byKernel.item_double() > 0);
    assertEquals(byKernel.item_double(), composed.item_double(), 1e-10 * byKernel.item_double());
    assertTrue(LossUnderTest.isByKernel(byKernel));
    assertFalse(LossUnderTest.isByKernel(composed));
  }

  /** Ignored positions hold what must not spread, and the value is f32 as a kernel's. */
  @ParameterizedTest
  @MethodSource("org.structkd.testing.LossUnderTest#kernels")
  void whatTakesNoPartDoesNotSpread(LossUnderTest loss) {
    if (!loss.loss().needs().masks()) {
      return;
    }
    LossInputs in = MadeInputs.with(loss.inputs(ScalarType.Float), LEFT_OUT, null);
    Tensor leftOut = in.target(LossInputs.LABELS).eq(new Scalar(LEFT_OUT.getAsLong()));
    UnaryOperator<Tensor> poisoned =
        map -> map.masked_fill(leftOut.unsqueeze(1), new Scalar(Double.NaN));
    LossUnderTest composed = loss.on("composed");
    LossUnderTest.Outcome outcome = composed.outcome(MadeInputs.changed(in, poisoned, poisoned));
    assertEquals(ScalarType.Float, outcome.value().scalar_type().intern());
    assertTrue(outcome.sameBits(composed.outcome(in)));
  }

  @Test
  void anUnknownNameIsRefusedWithThoseThatAreKnown() {
    Tensor map = Tensors.gaussian(1, 2, 5, 4, 6);
    refused(
        StructkdException.class,
        "pixel-wise loss: divergence is \"kl\", expected one of: cross_entropy, kl_teacher_student,"
            + " kl_student_teacher",
        () ->
            NativeCall.of(
                () -> Operator.call("pixelwise", map, map, null, "kl", "pixels", 1.0, true)));
  }
}
