package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.testing.Tensors;

/** What every kernel loss promises as a node of LibTorch's autograd graph. */
@Tag("emulated")
class AutogradTest {
  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  private static Tensor studentLeaf(ScalarType dtype) {
    return Tensors.leaf(Tensors.gaussian(1, 1, 4, 5, 5), dtype);
  }

  private static Tensor teacher() {
    return Tensors.gaussian(2, 1, 4, 5, 5).to(ScalarType.Float);
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void gradientScalesWithTheUpstreamGradient(LossCalls.Named loss) {
    Tensor thrice = gradientOf(loss, 3.0);
    assertTrue(Tensors.relativeError(thrice, gradientOf(loss, 1.0).mul(new Scalar(3.0))) < 1e-6);
  }

  private static Tensor gradientOf(LossCalls.Named loss, double factor) {
    Tensor student = studentLeaf(ScalarType.Float);
    loss.forward(student, teacher()).mul(new Scalar(factor)).backward();
    return student.grad();
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void retainedGraphGivesTheSameGradientTwice(LossCalls.Named loss) {
    for (double upstream : new double[] {1.0, 3.0}) { // the saved gradient as it is, and scaled
      Tensor student = studentLeaf(ScalarType.Float);
      Tensor value = loss.forward(student, teacher()).mul(new Scalar(upstream));
      backward(value, false);
      Tensor first = student.grad().clone();
      backward(value, false);
      assertTrue(Tensors.sameBits(student.grad(), first.mul(new Scalar(2))), "times " + upstream);
    }
  }

  /** Gradients below f16's range, which a loss scale lifts: kept in f32 or f64 until then. */
  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void halfGradientSurvivesALossScale(LossCalls.Named loss) {
    Tensor student = Tensors.gaussian(1, 1, 4, 48, 48).to(ScalarType.Half);
    Tensor noise = Tensors.gaussian(2, 1, 4, 48, 48);
    Tensor close = student.to(ScalarType.Double).add(noise.mul(new Scalar(1e-9)));
    requireKept(loss, student, close);
    // Both of f16, with gradients as small as the map is large.
    requireKept(loss, student, close.add(noise.mul(new Scalar(0.01))).to(ScalarType.Half));
  }

  private static void requireKept(LossCalls.Named loss, Tensor studentValues, Tensor teacher) {
    Tensor truth = Tensors.leaf(studentValues, ScalarType.Double);
    loss.forward(truth, teacher.to(ScalarType.Double)).backward();
    Scalar scale = new Scalar(1 / truth.grad().abs().max().item_double());
    Tensor student = Tensors.leaf(studentValues, ScalarType.Half);
    loss.forward(student, teacher).to(ScalarType.Double).mul(scale).backward();
    assertEquals(ScalarType.Half, student.grad().scalar_type().intern());
    double error = Tensors.relativeError(student.grad(), truth.grad().mul(scale));
    assertTrue(error < 1e-3, "relative error " + error); // f16 rounds to 5e-4; also refuses NaN
  }

  private static void backward(Tensor value, boolean createGraph) {
    boolean retainGraph = true;
    value.backward(
        new Tensor(), new BoolOptional(retainGraph), createGraph, new TensorArrayRefOptional());
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void secondDerivativeIsRefusedWithASentence(LossCalls.Named loss) {
    Tensor student = studentLeaf(ScalarType.Float);
    backward(loss.forward(student, teacher()), true); // create_graph alone works
    Tensor gradientNorm = student.grad().pow(new Scalar(2)).sum();
    RuntimeException refused = assertThrows(RuntimeException.class, gradientNorm::backward);
    assertTrue(
        refused.getMessage().contains(loss.name() + ": the gradient is computed by a kernel"),
        refused.getMessage());
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#withCompositions")
  void teacherGetsNoGradientEvenIfItRequiresOne(LossCalls.Named loss) {
    Tensor student = studentLeaf(ScalarType.Float);
    Tensor teacher = Tensors.leaf(teacher(), ScalarType.Float);
    loss.forward(student, teacher).backward();
    assertTrue(student.grad().defined());
    assertFalse(teacher.grad().defined());
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void studentWithoutGradGivesAPlainValue(LossCalls.Named loss) {
    Tensor student = Tensors.gaussian(1, 1, 4, 5, 5);
    assertFalse(loss.forward(student, Tensors.gaussian(2, 1, 4, 5, 5)).requires_grad());
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void mixedDtypesArePromotedAndTheGradientComesBackInTheStudents(LossCalls.Named loss) {
    Tensor student = studentLeaf(ScalarType.BFloat16);
    Tensor value = loss.forward(student, teacher());
    value.backward();
    assertEquals(ScalarType.Float, value.scalar_type().intern());
    assertEquals(ScalarType.BFloat16, student.grad().scalar_type().intern());
  }

  @ParameterizedTest
  @MethodSource("org.structkd.loss.LossCalls#all")
  void resultBelongsToTheCallersScope(LossCalls.Named loss) {
    Tensor value;
    try (PointerScope inner = new PointerScope()) {
      value = loss.forward(Tensors.gaussian(1, 1, 4, 5, 5), Tensors.gaussian(2, 1, 4, 5, 5));
      assertFalse(value.isNull());
    }
    assertTrue(value.isNull());
  }
}
