package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Storage;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
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

/** Tensors whose memory is not their value: each is resolved, or refused with a sentence. */
@InScope
@Tag("emulated")
class ViewsTest {
  private static Tensor map(long seed) {
    return Tensors.gaussian(seed, 2, 4, 3, 5).to(ScalarType.Float);
  }

  @Test
  void negativeViewsOfWhatComesBesideTheMaps() {
    PairwiseLoss pairwise = PairwiseLoss.skdCvpr19();
    Tensor weights = Tensors.gaussian(3, 2, 3, 5).abs().to(ScalarType.Float);
    assertEquals(
        pairwise.forward(map(1), map(2), weights).item_double(),
        pairwise.forward(map(1), map(2), MadeInputs.negativeView(weights)).item_double());
    assertEquals(
        pairwise.conditionNumber(map(1), map(2)),
        pairwise.conditionNumber(MadeInputs.negativeView(map(1)), MadeInputs.negativeView(map(2))));
    GlobalStructuralLoss global = GlobalStructuralLoss.standard().withSampling(Sampling.standard());
    Tensor labels = map(2).argmax(new LongOptional(1), false);
    assertEquals(
        global.forward(map(1), map(2), map(2), labels, 1).item_double(),
        global
            .forward(
                MadeInputs.negativeView(map(1)),
                MadeInputs.negativeView(map(2)),
                MadeInputs.negativeView(map(2)),
                labels,
                1)
            .item_double());
  }

  /** The memory of a tensor can be taken away: what is left must not be read. */
  @ParameterizedTest
  @MethodSource("org.structkd.testing.LossUnderTest#kernels")
  void tensorsWhoseMemoryIsGoneAreRefused(LossUnderTest loss) {
    LossInputs in = loss.inputs(ScalarType.Float);
    for (LossInputs bad :
        List.of(
            MadeInputs.changed(in, ViewsTest::gone, teacher -> teacher),
            MadeInputs.changed(in, student -> student, ViewsTest::gone))) {
      String said = assertThrows(StructkdException.class, () -> loss.forward(bad)).getMessage();
      // LibTorch itself refuses to view vectors as maps.
      String refusal =
          ".* bytes of memory, but its storage has 16.*|.* out of bounds for storage .*";
      assertTrue(said.matches("(?s)" + refusal), said);
    }
  }

  private static Tensor gone(Tensor map) {
    Tensor gone = map.clone();
    Storage storage = gone.storage();
    storage.set_nbytes(16);
    return gone;
  }

  /** Callers of the operators come without Java's checks. */
  @Test
  void operatorsRefuseOtherLayoutsToo() {
    for (Tensor bad :
        new Tensor[] {
          map(1).to_sparse(),
          map(1).to_mkldnn(),
          torch.as_nested_tensor(new TensorVector(map(1).select(0, 0))),
          torch.quantize_per_tensor(map(1), 0.1, 0, ScalarType.QInt8)
        }) {
      StructkdException error =
          assertThrows(
              StructkdException.class,
              () ->
                  NativeCall.of(
                      () ->
                          Operator.call(
                              "pairwise",
                              bad,
                              map(2),
                              null,
                              "differentiable",
                              "max",
                              1e-12,
                              "per_image",
                              "exact",
                              "squared",
                              "mean")));
      assertTrue(error.getMessage().startsWith("pair-wise loss: student is "), error.getMessage());
      assertNull(error.getMessage().lines().skip(1).findFirst().orElse(null));
    }
  }
}
