package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Storage;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Operator;
import org.structkd.loss.GlobalStructuralLoss.Comparison;
import org.structkd.testing.Tensors;

/** Tensors whose memory is not their value: each is resolved, or refused with a sentence. */
@Tag("emulated")
class ViewsTest {
  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  static List<LossCalls.Named> losses() {
    return LossCalls.all().toList();
  }

  private static Tensor map(long seed) {
    return Tensors.gaussian(seed, 2, 4, 3, 5).to(ScalarType.Float);
  }

  /**
   * The same values as an imaginary part of conjugate numbers: its memory holds their negatives.
   */
  private static Tensor negativeView(Tensor values) {
    Tensor pairs = torch.stack(new TensorVector(torch.zeros_like(values), values.neg()), -1);
    Tensor view = torch.imag(torch.view_as_complex(pairs).conj());
    assertTrue(view.is_neg());
    return view;
  }

  @ParameterizedTest
  @MethodSource("losses")
  void negativeViewsGiveTheValuesThatTheyStandFor(LossCalls.Named loss) {
    Tensor plain = Tensors.leaf(map(1), ScalarType.Float);
    Tensor expected = loss.forward(plain, map(2));
    expected.backward();
    Tensor leaf = Tensors.leaf(map(1), ScalarType.Float);
    Tensor value = loss.forward(negativeView(leaf), negativeView(map(2)));
    value.backward();
    assertEquals(expected.item_double(), value.item_double());
    assertTrue(Tensors.sameBits(plain.grad(), leaf.grad()));
  }

  @Test
  void negativeViewsOfWhatComesBesideTheMaps() {
    PairwiseLoss pairwise = PairwiseLoss.skdCvpr19();
    Tensor weights = Tensors.gaussian(3, 2, 3, 5).abs().to(ScalarType.Float);
    assertEquals(
        pairwise.forward(map(1), map(2), weights).item_double(),
        pairwise.forward(map(1), map(2), negativeView(weights)).item_double());
    assertEquals(
        pairwise.conditionNumber(map(1), map(2)),
        pairwise.conditionNumber(negativeView(map(1)), negativeView(map(2))));
    GlobalStructuralLoss global = GlobalStructuralLoss.standard().withSampling(Sampling.standard());
    Tensor labels = map(2).argmax(new LongOptional(1), false);
    assertEquals(
        global.forward(map(1), map(2), map(2), labels, 1).item_double(),
        global
            .forward(negativeView(map(1)), negativeView(map(2)), negativeView(map(2)), labels, 1)
            .item_double());
  }

  /** Modes that are composed of LibTorch's operators see the same tensors. */
  @Test
  void composedModes() {
    InterClassSimilarityLoss code = InterClassSimilarityLoss.aicsdReleased();
    GlobalStructuralLoss rows =
        GlobalStructuralLoss.standard()
            .withSampling(Sampling.random(4))
            .withComparison(Comparison.ROW_DIVERGENCE);
    Tensor zeros = torch.torch__efficientzerotensor(new long[] {2, 4, 3, 5}, new TensorOptions());
    for (MapLoss loss : List.<MapLoss>of(code, (s, t) -> rows.forward(s, t, 1))) {
      assertEquals(
          loss.forward(map(1), map(2)).item_double(),
          loss.forward(negativeView(map(1)), negativeView(map(2))).item_double());
      assertEquals(
          loss.forward(map(1), torch.zeros(2, 4, 3, 5)).item_double(),
          loss.forward(map(1), zeros).item_double());
    }
  }

  /** Zeros of forward-mode differentiation: they have no memory at all. */
  @ParameterizedTest
  @MethodSource("losses")
  void zerosWithoutMemoryAreZeros(LossCalls.Named loss) {
    Tensor zeros = torch.torch__efficientzerotensor(new long[] {2, 4, 3, 5}, new TensorOptions());
    assertTrue(zeros._is_zerotensor());
    assertEquals(
        loss.forward(map(1), torch.zeros(2, 4, 3, 5)).item_double(),
        loss.forward(map(1), zeros).item_double());
    assertEquals(
        loss.forward(torch.zeros(2, 4, 3, 5), map(1)).item_double(),
        loss.forward(zeros, map(1)).item_double());
  }

  /** Rows, columns and channels in any order, overlapping and repeated: strides say it all. */
  @ParameterizedTest
  @MethodSource("losses")
  void stridesOfEveryKind(LossCalls.Named loss) {
    Tensor turned = map(1).permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0);
    Tensor repeated = map(2).narrow(0, 0, 1).expand(2, 4, 3, 5);
    assertFalse(turned.is_contiguous());
    assertEquals(
        loss.forward(map(1), repeated.contiguous()).item_double(),
        loss.forward(turned, repeated).item_double());
  }

  @ParameterizedTest
  @MethodSource("losses")
  void otherLayoutsAreRefusedByASentence(LossCalls.Named loss) {
    refused(
        loss, map(1).to_sparse(), "is not a dense (strided) tensor but Sparse: call to_dense()");
    refused(
        loss,
        map(1).select(0, 0).select(0, 0).to_sparse_csr(),
        "is not a dense (strided) tensor but SparseCsr: call to_dense()");
    refused(
        loss, map(1).to_mkldnn(), "is not a dense (strided) tensor but Mkldnn: call to_dense()");
    refused(
        loss,
        torch.as_nested_tensor(new TensorVector(map(1).select(0, 0), map(2).select(0, 1))),
        "is a nested tensor, whose images differ in size");
    refused(
        loss,
        torch.quantize_per_tensor(map(1), 0.1, 0, ScalarType.QInt8),
        "is quantized: call dequantize()");
    refused(
        loss,
        torch.view_as_complex(Tensors.gaussian(1, 2, 4, 3, 5, 2)).conj(),
        "is ComplexDouble, expected Half, BFloat16, Float or Double");
  }

  /** The memory of a tensor can be taken away: what is left must not be read. */
  @ParameterizedTest
  @MethodSource("losses")
  void tensorsWhoseMemoryIsGoneAreRefused(LossCalls.Named loss) {
    Tensor gone = map(1).clone();
    Storage storage = gone.storage();
    storage.set_nbytes(16);
    for (Tensor[] pair : new Tensor[][] {{gone, map(2)}, {map(2), gone}}) {
      StructkdException error =
          assertThrows(StructkdException.class, () -> loss.forward(pair[0], pair[1]));
      assertTrue(
          error.getMessage().contains(" needs 480 bytes of memory, but its storage has 16"),
          error.getMessage());
    }
  }

  private static void refused(LossCalls.Named loss, Tensor bad, String reason) {
    for (Tensor[] pair : new Tensor[][] {{bad, map(2)}, {map(2), bad}}) {
      IllegalArgumentException error =
          assertThrows(IllegalArgumentException.class, () -> loss.forward(pair[0], pair[1]));
      assertTrue(error.getMessage().contains(reason), error.getMessage());
      assertTrue(
          error
              .getMessage()
              .startsWith(loss.name() + ": " + (pair[0] == bad ? "student" : "teacher")),
          error.getMessage());
    }
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
                              "exact")));
      assertTrue(error.getMessage().startsWith("pair-wise loss: student is "), error.getMessage());
      assertNull(error.getMessage().lines().skip(1).findFirst().orElse(null));
    }
  }
}
