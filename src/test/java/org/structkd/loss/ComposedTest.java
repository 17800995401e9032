package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Operator;
import org.structkd.testing.OnBackend;
import org.structkd.testing.Tensors;
import org.structkd.testing.Variants;

/**
 * Each loss composed of LibTorch's operators is the loss of the reference, in all its options: so
 * every constant of an enum that crosses is known to native code, too.
 */
class ComposedTest {
  private static final long[] SHAPE = {2, 5, 4, 6};

  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  /**
   * A loss in one variant.
   *
   * @param variant of the options
   * @param what else the call gets
   * @param call of (student, teacher)
   */
  record Case(Record variant, String what, MapLoss call) {
    static <R extends Record> Stream<Case> of(R loss, String what, Function<R, MapLoss> callOf) {
      return Variants.of(loss).stream().map(one -> new Case(one, what, callOf.apply(one)));
    }

    @Override
    public String toString() {
      return variant + " " + what;
    }
  }

  static Stream<Case> cases() {
    PixelwiseLoss pixelwise = PixelwiseLoss.kd().withTemperature(2);
    PairwiseLoss pairwise = PairwiseLoss.skdCvpr19();
    InterClassSimilarityLoss paper = InterClassSimilarityLoss.paper();
    InterClassSimilarityLoss unitRows = paper.withRowNormalize(true);
    return Stream.of(
            Case.of(pixelwise, "", one -> one::forward),
            Case.of(pixelwise, "mask", one -> (s, t) -> one.forward(s, t, mask())),
            Case.of(pairwise, "", one -> one::forward),
            Case.of(pairwise, "weights", one -> (s, t) -> one.forward(s, t, weights())),
            Case.of(paper, "", one -> one::forward),
            Stream.of(paper, unitRows)
                .map(one -> new Case(one, "mask", (s, t) -> one.forward(s, t, mask()))),
            Case.of(ofWidth(5), "labels", ComposedTest::withLabels),
            Case.of(ofWidth(-1), "labels", ComposedTest::withLabels),
            LongStream.of(0, 1, 100)
                .mapToObj(ComposedTest::ofWidth)
                .map(one -> new Case(one, "labels", withLabels(one))))
        .flatMap(stream -> stream);
  }

  @Test
  void everyKernelLossIsHere() {
    Set<Class<?>> here = cases().map(one -> one.variant.getClass()).collect(Collectors.toSet());
    for (Losses.Entry loss : Losses.all()) {
      assertTrue(loss.kind() != Losses.Kind.KERNEL || here.contains(loss.type()), loss.id());
    }
  }

  /** Every third position is out, and the whole first image but one of its rows. */
  private static Tensor mask() {
    Tensor mask = torch.arange(new Scalar(48)).remainder(new Scalar(3)).ne(new Scalar(0));
    mask = mask.view(2, 4, 6);
    mask.narrow(0, 0, 1).narrow(1, 1, 3).zero_();
    return mask;
  }

  private static Tensor weights() {
    return Tensors.gaussian(5, 2, 4, 6).abs().mul(mask().to(ScalarType.Double));
  }

  private static GlobalStructuralLoss ofWidth(long groupWidth) {
    return GlobalStructuralLoss.standard().withGroupWidth(groupWidth);
  }

  private static MapLoss withLabels(GlobalStructuralLoss loss) {
    Tensor labels =
        torch.arange(new Scalar(48)).remainder(new Scalar(3)).view(2, 4, 6).to(ScalarType.Long);
    Tensor logits = torch.one_hot(labels, 3).permute(0, 3, 1, 2).to(ScalarType.Float);
    return (student, teacher) -> loss.forward(student, teacher, logits, labels, 7);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheReference(Case one) {
    double[][] expected = OnBackend.of("reference", () -> valueAndGradient(one.call));
    double[][] actual = OnBackend.of("composed", () -> valueAndGradient(one.call));
    assertEquals(expected[0][0], actual[0][0], 1e-10 * Math.abs(expected[0][0]));
    assertNotEquals(0.0, expected[0][0]);
    double error = Tensors.relativeError(actual[1], expected[1]);
    assertTrue(error < 1e-10, "gradient differs by " + error);
  }

  private static double[][] valueAndGradient(MapLoss loss) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, SHAPE), ScalarType.Double);
    Tensor value = loss.forward(student, Tensors.gaussian(2, SHAPE));
    value.backward();
    return new double[][] {Tensors.values(value), Tensors.values(student.grad())};
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void withoutAKernelTheLossIsComposed(LossCalls.Named loss) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, SHAPE), ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, SHAPE);
    Tensor byKernel = loss.forward(student, teacher);
    Tensor composed = OnBackend.of("composed", () -> loss.forward(student, teacher));
    assertEquals(byKernel.item_double(), composed.item_double(), 1e-10 * byKernel.item_double());
    assertTrue(nodeOf(byKernel).contains("KernelLoss"), nodeOf(byKernel));
    assertFalse(nodeOf(composed).contains("KernelLoss"), nodeOf(composed));
  }

  /** What autograd computed a tensor by. */
  private static String nodeOf(Tensor tensor) {
    return tensor.grad_fn().name().getString();
  }

  /** Ignored positions hold what must not spread, and the value is f32 as a kernel's. */
  @Test
  void whatTakesNoPartDoesNotSpread() {
    for (List<?> one :
        List.of(
            List.of("pixelwise", mask(), "kl_teacher_student", "pixels", 1.0, true),
            List.of("inter_class_similarity", mask(), "paper", 1.0, false),
            List.of("pairwise", weights(), "differentiable", "max", 1e-12, "per_image", "exact"))) {
      double[][] results = new double[2][];
      for (int poisoned = 0; poisoned < 2; poisoned++) {
        Tensor student = Tensors.gaussian(1, SHAPE);
        Tensor teacher = Tensors.gaussian(2, SHAPE);
        if (poisoned == 1) {
          student.masked_fill_(mask().logical_not().unsqueeze(1), new Scalar(Double.NaN));
          teacher.masked_fill_(mask().logical_not().unsqueeze(1), new Scalar(Double.NaN));
        }
        Tensor leaf = Tensors.leaf(student, ScalarType.Float);
        Object[] arguments =
            Stream.concat(Stream.of(leaf, teacher.to(ScalarType.Float)), one.stream().skip(1))
                .toArray();
        Tensor value = NativeCall.of(() -> Operator.call(one.get(0) + "_composed", arguments));
        assertEquals(ScalarType.Float, value.scalar_type().intern());
        value.backward();
        results[poisoned] = Tensors.values(leaf.grad());
      }
      assertEquals(0.0, Tensors.relativeError(results[1], results[0]), one.get(0).toString());
    }
  }

  @Test
  void anUnknownNameIsRefusedWithThoseThatAreKnown() {
    Tensor map = Tensors.gaussian(1, SHAPE);
    StructkdException error =
        assertThrows(
            StructkdException.class,
            () ->
                NativeCall.of(
                    () -> Operator.call("pixelwise", map, map, null, "kl", "pixels", 1.0, true)));
    assertEquals(
        "pixel-wise loss: divergence is \"kl\", expected one of: cross_entropy, kl_teacher_student,"
            + " kl_student_teacher",
        error.getMessage());
  }
}
