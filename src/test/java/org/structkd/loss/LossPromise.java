package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.Loss.OverExamples;
import org.structkd.testing.AccuracyRule;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.LossUnderTest.Outcome;
import org.structkd.testing.MadeInputs;
import org.structkd.testing.StudentTeacher;
import org.structkd.testing.Tensors;

/** What every loss promises, whatever it computes; each a check that fails where it is broken. */
enum LossPromise {
  IS_A_SCALAR_WITH_A_GRADIENT(LossPromise::isAScalarWithAGradient),
  MULTIPLIES_THE_UPSTREAM_GRADIENT(LossPromise::multipliesTheUpstreamGradient),
  TAKES_THE_TEACHER_AS_CONSTANT(LossPromise::takesTheTeacherAsConstant),
  DIFFERENTIATES_TWICE_OR_SAYS_WHY_NOT(LossPromise::differentiatesTwiceOrSaysWhyNot),
  HAS_THE_DERIVATIVE_AS_ITS_GRADIENT(LossPromise::hasTheDerivativeAsItsGradient),
  TAKES_EVERY_FLOATING_TYPE(TakenInputs::takesEveryFloatingType),
  MEETS_THE_ACCURACY_RULE(LossPromise::meetsTheAccuracyRule),
  KEEPS_SMALL_GRADIENTS_FOR_A_LOSS_SCALE(LossPromise::keepsSmallGradientsForALossScale),
  READS_EVERY_LAYOUT(TakenInputs::readsEveryLayout),
  TAKES_TOKENS_FOR_MAPS(TakenInputs::takesTokensForMaps),
  TAKES_ODD_SIZES_AND_SINGLE_IMAGES(TakenInputs::takesOddSizesAndSingleImages),
  LEAVES_OUT_POSITIONS_WITHOUT_A_LABEL(TakenInputs::leavesOutPositionsWithoutALabel),
  REPEATS_BIT_FOR_BIT(LossPromise::repeatsBitForBit),
  LEAVES_LIBTORCH_AS_IT_WAS(LossPromise::leavesLibTorchAsItWas),
  LEAVES_NO_NATIVE_OBJECT(LossPromise::leavesNoNativeObject),
  GIVES_ITS_VALUE_TO_THE_CALLERS_SCOPE(LossPromise::givesItsValueToTheCallersScope),
  SHOWS_NAN(LossPromise::showsNan),
  SAYS_WHAT_IT_IS_OVER_EXAMPLES(LossPromise::saysWhatItIsOverExamples),
  TRAINS_BY_ITSELF(TrainedAlone::check),
  REFUSES_BAD_INPUT_BY_A_SENTENCE(RefusedInputs::check),
  REFUSES_IMPOSSIBLE_SETTINGS_BY_A_SENTENCE(RefusedSettings::check);

  /** Presets whose gradient is none of their value: they take as constant what is not. */
  private static final Set<String> DETACHED =
      Set.of(
          "pairwise skd_released", // lengths
          "regression berhu", // the largest error
          "bidirectional_distillation both", // the other network's scores
          "bidirectional_distillation released",
          "hierarchical_topology second", // means of groups
          "hierarchical_topology second_as_given");

  static final ScalarType[] TYPES = {
    ScalarType.Double, ScalarType.Float, ScalarType.Half, ScalarType.BFloat16
  };

  private final Consumer<LossUnderTest> check;

  LossPromise(Consumer<LossUnderTest> check) {
    this.check = check;
  }

  /** {@return whether it is about a loss} */
  boolean concerns(LossUnderTest loss) {
    Needs needs = loss.loss().needs();
    return switch (this) {
      case MEETS_THE_ACCURACY_RULE -> loss.kernel() && loss.backend().isEmpty();
      case KEEPS_SMALL_GRADIENTS_FOR_A_LOSS_SCALE -> loss.kernel();
      case HAS_THE_DERIVATIVE_AS_ITS_GRADIENT ->
          !DETACHED.contains(loss.id() + " " + loss.preset());
      case REPEATS_BIT_FOR_BIT -> loss.backend().isEmpty(); // the reference has one thread
      case TRAINS_BY_ITSELF -> loss.backend().isEmpty() && !loss.hasOpponent();
      case TAKES_TOKENS_FOR_MAPS ->
          needs.student().stream().allMatch(role -> role.ranks().containsAll(Set.of(3, 4)));
      case LEAVES_OUT_POSITIONS_WITHOUT_A_LABEL ->
          needs.masks() || needs.targets().contains(LossInputs.LABELS);
      default -> true;
    };
  }

  /**
   * Checks it.
   *
   * @throws AssertionError if the loss breaks it
   */
  void check(LossUnderTest loss) {
    try (PointerScope scope = new PointerScope()) {
      check.accept(loss);
    }
  }

  private static void isAScalarWithAGradient(LossUnderTest loss) {
    LossInputs leaves = LossUnderTest.leaves(loss.inputs());
    Tensor value = loss.forward(leaves);
    assertEquals(0, value.dim());
    assertTrue(value.requires_grad() && value.grad_fn() != null, "a value with a grad_fn");
    try (NoGradGuard noGrad = new NoGradGuard()) {
      Tensor plain = loss.forward(leaves);
      assertFalse(plain.requires_grad());
      assertTrue(Tensors.sameBits(value, plain), "without grad mode it is another value");
    }
    assertTrue(loss.outcome(loss.inputs()).largestGradient() > 0, "the gradient is 0");
  }

  private static void multipliesTheUpstreamGradient(LossUnderTest loss) {
    LossInputs in = loss.inputs(ScalarType.Float);
    Outcome once = loss.outcome(in);
    loss.outcome(in, student -> student, 3)
        .gradients()
        .forEach(
            (role, thrice) -> {
              Tensor expected = once.gradients().get(role).mul(new Scalar(3));
              // Autograd multiplies on the way, and rounds at each layer.
              double most = loss.kernel() ? 1e-6 : 1e-5;
              assertClose(Tensors.relativeError(thrice, expected), most, role);
            });
    for (double upstream : new double[] {1, 3}) { // the saved gradient as it is, and scaled
      LossInputs leaves = LossUnderTest.leaves(in);
      Tensor value = loss.forward(leaves).mul(new Scalar(upstream));
      backward(value, false);
      Map<String, Tensor> gradients = LossUnderTest.gradients(leaves);
      gradients.replaceAll((role, gradient) -> gradient.clone());
      backward(value, false);
      LossUnderTest.gradients(leaves)
          .forEach(
              (role, twice) ->
                  assertTrue(
                      Tensors.sameBits(twice, gradients.get(role).mul(new Scalar(2))),
                      "a retained graph gives another gradient"));
    }
  }

  private static void backward(Tensor value, boolean createGraph) {
    value.backward(new Tensor(), new BoolOptional(true), createGraph, new TensorArrayRefOptional());
  }

  private static void takesTheTeacherAsConstant(LossUnderTest loss) {
    LossInputs learning =
        MadeInputs.changed(
            loss.inputs(), student -> student, t -> Tensors.leaf(t, ScalarType.Double));
    Outcome outcome = loss.outcome(learning);
    learning
        .teacher()
        .forEach((role, t) -> assertFalse(t.grad().defined(), "the teacher's " + role + " learns"));
    assertTrue(outcome.sameBits(loss.outcome(loss.inputs())));
  }

  private static void differentiatesTwiceOrSaysWhyNot(LossUnderTest loss) {
    LossInputs leaves = LossUnderTest.leaves(loss.inputs());
    backward(loss.forward(leaves), true); // create_graph alone works
    Tensor norm = torch.zeros(1);
    for (Tensor gradient : LossUnderTest.gradients(leaves).values()) {
      norm = norm.add(gradient.square().sum());
    }
    try {
      norm.backward();
    } catch (RuntimeException refusal) {
      String said =
          refusal.getMessage().lines().findFirst().orElseThrow(); // LibTorch's trace follows
      if (said.matches("derivative for aten::\\w+ is not implemented")) {
        return; // an operator of LibTorch's that has no second derivative names itself
      }
      RefusedInputs.requireName(loss, said);
      assertTrue(said.contains(": the gradient is computed by a kernel"), said);
    }
  }

  /** Central differences in a random direction. */
  private static void hasTheDerivativeAsItsGradient(LossUnderTest loss) {
    LossInputs in = loss.inputs();
    double step = 1e-6;
    LossInputs ahead = MadeInputs.changed(in, s -> s.add(direction(s, step)), t -> t);
    LossInputs behind = MadeInputs.changed(in, s -> s.sub(direction(s, step)), t -> t);
    double slope =
        (loss.forward(ahead).item_double() - loss.forward(behind).item_double()) / (2 * step);
    double expected = 0;
    double scale = 0;
    for (Tensor gradient : loss.outcome(in).gradients().values()) {
      expected += gradient.mul(direction(gradient, 1)).sum().item_double();
      scale += gradient.norm().item_double();
    }
    assertClose(Math.abs(slope - expected) / scale, 1e-5, slope + " instead of " + expected);
  }

  private static Tensor direction(Tensor like, double length) {
    return Tensors.gaussian(77, like.shape()).mul(new Scalar(length));
  }

  /** Of the roles that both networks have; what else there is stays as it is. */
  private static void meetsTheAccuracyRule(LossUnderTest loss) {
    LossInputs in = loss.inputs(new MadeInputs.Sizes(2, 8, 9, 11));
    String role = in.student().keySet().iterator().next();
    for (StudentTeacher.Kind kind : StudentTeacher.Kind.values()) {
      for (ScalarType type : TYPES) {
        AccuracyRule.check(
            (student, teacher) ->
                loss.forward(
                    MadeInputs.changed(
                        MadeInputs.withTeacher(in, role, teacher), s -> student, t -> t)),
            kind,
            type,
            in.student().get(role).shape());
      }
    }
  }

  /** Gradients below f16's range, which a loss scale lifts: kept in f32 or f64 until then. */
  private static void keepsSmallGradientsForALossScale(LossUnderTest loss) {
    MadeInputs.Sizes sizes = new MadeInputs.Sizes(1, 4, 48, 48);
    LossInputs in = loss.inputs(sizes);
    for (double distance : new double[] {1e-9, 0.01}) {
      ScalarType teacherType = distance < 1e-3 ? ScalarType.Double : ScalarType.Half;
      LossInputs close = in;
      for (Map.Entry<String, Tensor> output : in.student().entrySet()) {
        Tensor near = output.getValue().to(ScalarType.Half).to(ScalarType.Double);
        near = near.add(direction(near, distance)).to(teacherType);
        close = MadeInputs.withTeacher(close, output.getKey(), near);
      }
      close = MadeInputs.changed(close, MadeInputs.to(ScalarType.Half), t -> t);
      LossInputs exact =
          MadeInputs.changed(
              close, MadeInputs.to(ScalarType.Double), MadeInputs.to(ScalarType.Double));
      double scale = 1 / loss.outcome(exact).largestGradient();
      LossInputs leaves = LossUnderTest.leaves(close);
      loss.forward(leaves).to(ScalarType.Double).mul(new Scalar(scale)).backward();
      Outcome truth = loss.outcome(exact, student -> student, scale);
      LossUnderTest.gradients(leaves)
          .forEach( // an f16 rounds to 5e-4
              (role, gradient) ->
                  assertClose(
                      Tensors.relativeError(gradient, truth.gradients().get(role)), 1e-3, role));
    }
  }

  private static void repeatsBitForBit(LossUnderTest loss) {
    MadeInputs.Sizes usual = loss.sizes();
    LossInputs in =
        MadeInputs.changed(
            loss.inputs(new MadeInputs.Sizes(usual.batch(), 12, 48, 49)), // more than one thread's
            MadeInputs.to(ScalarType.Float),
            MadeInputs.to(ScalarType.Float));
    int before = torch.get_num_threads();
    try {
      torch.set_num_threads(1);
      Outcome expected = loss.outcome(in);
      int most = loss.hasLayers() ? 1 : 3; // LibTorch's convolutions depend on the number
      for (int threads = 1; threads <= most; threads++) {
        torch.set_num_threads(threads);
        assertTrue(loss.outcome(in).sameBits(expected), "other bits with " + threads + " threads");
      }
    } finally {
      torch.set_num_threads(before);
    }
  }

  private static void leavesLibTorchAsItWas(LossUnderTest loss) {
    torch.manual_seed(77);
    torch.randn(3); // the generator stands between two seeds and keeps half a pair of normals
    LossInputs in = loss.inputs();
    List<Object> before = stateOfLibTorch();
    loss.outcome(in);
    assertEquals(before, stateOfLibTorch(), "generator, threads, grad mode");
  }

  private static List<Object> stateOfLibTorch() {
    Tensor generator = torch.getDefaultCPUGenerator().get_state();
    return List.of(
        Arrays.hashCode(Tensors.values(generator)), torch.get_num_threads(), GradMode.is_enabled());
  }

  private static void leavesNoNativeObject(LossUnderTest loss) {
    int calls = 30;
    LossInputs in = loss.inputs();
    callInScopes(loss, in, calls); // pools and what is made once
    long objects = Pointer.totalCount();
    callInScopes(loss, in, calls);
    long left = Pointer.totalCount() - objects;
    assertTrue(left < calls, left + " native objects are left by " + calls + " calls");
  }

  private static void callInScopes(LossUnderTest loss, LossInputs in, int calls) {
    for (int i = 0; i < calls; i++) {
      try (PointerScope scope = new PointerScope()) {
        loss.outcome(in);
      }
    }
  }

  private static void givesItsValueToTheCallersScope(LossUnderTest loss) {
    LossInputs in = loss.inputs();
    Tensor value;
    try (PointerScope inner = new PointerScope()) {
      value = loss.forward(in);
      assertFalse(value.isNull());
    }
    assertTrue(value.isNull(), "the value outlives the caller's scope");
  }

  /** NaN is no error of the caller but news about the training: it must arrive. */
  /** So that ranks that share a batch are told where they have another loss than one process. */
  private static void saysWhatItIsOverExamples(LossUnderTest loss) {
    MadeInputs.Sizes usual = loss.sizes();
    MadeInputs.Sizes even =
        new MadeInputs.Sizes(4, usual.channels(), usual.height(), usual.width());
    LossInputs whole = loss.inputs(even);
    double value = loss.forward(whole).item_double();
    double mean =
        (loss.forward(MadeInputs.share(whole, 0, 2)).item_double()
                + loss.forward(MadeInputs.share(whole, 1, 2)).item_double())
            / 2;
    OverExamples found =
        isClose(value, mean)
            ? OverExamples.MEAN
            : isClose(value, 2 * mean) ? OverExamples.SUM : OverExamples.JOINT;
    assertEquals(
        found,
        loss.loss().overExamples(),
        "the loss of a batch is %s, the mean of its halves %s".formatted(value, mean));
  }

  private static boolean isClose(double value, double expected) {
    return Math.abs(value - expected) <= 1e-9 * Math.abs(value);
  }

  private static void showsNan(LossUnderTest loss) {
    UnaryOperator<Tensor> nan = MadeInputs.filledWith(Double.NaN);
    LossInputs broken = MadeInputs.changed(loss.inputs(), nan, teacher -> teacher);
    assertTrue(Double.isNaN(loss.forward(broken).item_double()), "a student of NaN has a number");
    UnaryOperator<Tensor> infinite = MadeInputs.filledWith(Double.POSITIVE_INFINITY);
    for (UnaryOperator<Tensor> teacher : List.of(nan, infinite)) {
      loss.outcome(MadeInputs.changed(loss.inputs(), student -> student, teacher));
    }
    loss.outcome(MadeInputs.changed(loss.inputs(), infinite, teacher -> teacher));
  }

  static void assertClose(double error, double tolerance, String what) {
    assertTrue(error <= tolerance, what + ": error " + error); // also refuses NaN
  }
}
