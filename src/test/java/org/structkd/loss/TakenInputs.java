package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.loss.LossPromise.TYPES;
import static org.structkd.loss.LossPromise.assertClose;

import java.util.List;
import java.util.OptionalLong;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.LossUnderTest.Outcome;
import org.structkd.testing.MadeInputs;

/** Types, layouts, sizes and labels that every loss takes. */
final class TakenInputs {
  private static final int VOID = 255;

  private TakenInputs() {}

  static void takesEveryFloatingType(LossUnderTest loss) {
    for (ScalarType student : TYPES) {
      for (ScalarType teacher : TYPES) {
        LossInputs in =
            MadeInputs.changed(loss.inputs(), MadeInputs.to(student), MadeInputs.to(teacher));
        double scale =
            1 / loss.outcome(loss.inputs()).largestGradient(); // f16 cannot hold small ones
        Outcome outcome = loss.outcome(in, s -> s, scale);
        boolean isDouble =
            student == ScalarType.Double
                || (teacher == ScalarType.Double && !in.teacher().isEmpty());
        String what = "student " + student + ", teacher " + teacher;
        assertEquals(
            isDouble ? ScalarType.Double : ScalarType.Float,
            outcome.value().scalar_type().intern(),
            "value, " + what);
        for (Tensor gradient : outcome.gradients().values()) {
          assertEquals(student, gradient.scalar_type().intern(), "gradient, " + what);
        }
        Outcome truth =
            loss.outcome(
                MadeInputs.changed(
                    in, MadeInputs.to(ScalarType.Double), MadeInputs.to(ScalarType.Double)),
                s -> s,
                scale);
        assertClose(outcome.errorAgainst(truth), 1e-2, what); // a bf16 rounds to 4e-3
      }
    }
  }

  /**
   * Strides, offsets, repeats, negated memory and no memory at all: what the numbers are counts.
   */
  static void readsEveryLayout(LossUnderTest loss) {
    List<UnaryOperator<Tensor>> layouts =
        List.of(
            map -> map.transpose(0, -1).contiguous().transpose(0, -1),
            map -> torch.cat(new TensorVector(map, map), -1).narrow(-1, 0, map.size(-1)),
            map -> torch.cat(new TensorVector(map, map), 0).narrow(0, map.size(0), map.size(0)),
            map -> map.transpose(1, -1).contiguous().transpose(1, -1), // classes or channels last
            MadeInputs::negativeView);
    Outcome dense = loss.outcome(loss.inputs());
    for (int i = 0; i < layouts.size(); i++) {
      UnaryOperator<Tensor> layout = layouts.get(i);
      LossInputs in = MadeInputs.changed(loss.inputs(), student -> student, layout);
      // A kernel may add in another order where another axis is contiguous.
      assertClose(loss.outcome(in, layout, 1).errorAgainst(dense), 1e-12, "layout " + i);
    }
    UnaryOperator<Tensor> repeated = map -> map.narrow(0, 0, 1).expand(map.shape());
    LossInputs equal = MadeInputs.changed(loss.inputs(), s -> s, t -> repeated.apply(t).clone());
    LossInputs expanded = MadeInputs.changed(loss.inputs(), s -> s, repeated);
    assertClose(loss.outcome(expanded).errorAgainst(loss.outcome(equal)), 1e-12, "expanded");
    LossInputs zeros = MadeInputs.changed(loss.inputs(), s -> s, MadeInputs.filledWith(0));
    LossInputs noMemory =
        MadeInputs.changed(
            loss.inputs(),
            s -> s,
            t -> torch.torch__efficientzerotensor(t.shape(), new TensorOptions(t.dtype())));
    assertClose(loss.outcome(noMemory).errorAgainst(loss.outcome(zeros)), 1e-12, "zeros");
  }

  static void takesTokensForMaps(LossUnderTest loss) {
    MadeInputs.Sizes column = new MadeInputs.Sizes(2, 6, 15, 1);
    LossInputs maps = loss.inputs(column);
    Outcome expected = loss.outcome(maps);
    LossInputs tokens = MadeInputs.changed(maps, student -> student, MadeInputs::tokens);
    Tensor labels = maps.targets().get(LossInputs.LABELS);
    if (labels != null) {
      tokens = MadeInputs.labelled(tokens, labels.squeeze(2));
    }
    Outcome found = loss.outcome(tokens, MadeInputs::tokens, 1);
    assertClose(found.errorAgainst(expected), 1e-12, "tokens");
  }

  static void takesOddSizesAndSingleImages(LossUnderTest loss) {
    MadeInputs.Sizes usual = loss.sizes();
    long height = usual.height() + 1;
    long width = usual.width() + 3;
    for (MadeInputs.Sizes sizes :
        List.of(
            new MadeInputs.Sizes(usual.batch() + 1, 5, height, width),
            new MadeInputs.Sizes(1, 7, height, width))) {
      try {
        Outcome outcome = loss.outcome(loss.inputs(sizes));
        assertTrue(Double.isFinite(outcome.value().item_double()), sizes.toString());
        assertTrue(outcome.largestGradient() > 0, sizes.toString());
      } catch (IllegalArgumentException refusal) {
        assertEquals(1, sizes.batch(), refusal.getMessage());
        RefusedInputs.requireName(loss, refusal.getMessage());
      }
    }
  }

  static void leavesOutPositionsWithoutALabel(LossUnderTest loss) {
    LossInputs in = MadeInputs.with(loss.inputs(), OptionalLong.of(VOID), null);
    Tensor labels = in.target(LossInputs.LABELS).clone();
    labels.select(0, 1).fill_(new Scalar(VOID)); // a whole image: pooling does not mix it in
    Outcome expected = loss.outcome(MadeInputs.labelled(in, labels));
    for (ScalarType type :
        new ScalarType[] {ScalarType.Byte, ScalarType.Short, ScalarType.Int, ScalarType.UInt16}) {
      LossInputs given = MadeInputs.labelled(in, labels.to(type));
      assertTrue(loss.outcome(given).sameBits(expected), "labels of " + type);
    }
    if (labels.dim() == 3) {
      Tensor large = labels.repeat_interleave(2, new LongOptional(1), new LongOptional());
      LossInputs given = MadeInputs.labelled(in, large);
      assertTrue(loss.outcome(given).sameBits(expected), "labels of twice the height");
    }
    LossInputs other =
        MadeInputs.changed(
            in,
            student -> {
              Tensor changed = student.clone();
              changed.select(0, 1).mul_(new Scalar(3));
              return changed;
            },
            t -> t);
    if (!loss.hasLayers()) { // layers may normalise by all positions of the batch
      Outcome found = loss.outcome(MadeInputs.labelled(other, labels));
      assertTrue(found.sameBits(expected), "an image without labels takes part");
    }
    for (long nothing : new long[] {VOID, -1}) {
      LossInputs none = MadeInputs.labelled(in, torch.full_like(labels, new Scalar(nothing)));
      Outcome silent = loss.outcome(none);
      assertEquals(0, silent.value().item_double());
      assertEquals(0, silent.largestGradient());
    }
  }
}
