package org.structkd.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.StructkdException;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
@Tag("emulated")
class ObjectiveTest {
  private static final Loss MEAN_SQUARE = // of a student's tap alone: easy to foretell
      inputs -> inputs.student("features").square().mean();

  private static StepInputs step(long step, Tensor features, Tensor logits, Tensor labels) {
    return new StepInputs(
        Map.of("features", features, "logits", logits),
        Map.of(
            "features", Tensors.gaussian(5, features.shape()),
            "logits", Tensors.gaussian(6, logits.shape())),
        labels,
        step);
  }

  private static StepInputs anyStep(long step) {
    return step(
        step,
        Tensors.leaf(Tensors.gaussian(1, 2, 4, 5, 5), ScalarType.Double),
        Tensors.leaf(Tensors.gaussian(2, 2, 3, 5, 5), ScalarType.Double),
        labels(0, 2, 5, 5));
  }

  private static Tensor labels(long value, long... shape) {
    return torch.full(shape, new Scalar(value)).to(ScalarType.Long);
  }

  @Test
  void totalIsTheWeightedSumOfItsTerms() {
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1.0, Term.of(new CrossEntropyLoss(255), "logits")),
            new WeightedTerm("pairwise", 0.5, Term.of(PairwiseLoss.skdCvpr19(), "features")),
            new WeightedTerm(
                "inter_class_similarity",
                0.01,
                Term.of(InterClassSimilarityLoss.paper(), "logits")));
    StepInputs inputs = anyStep(7);
    StepLoss loss = objective.compute(inputs);
    assertEquals(7, loss.step());
    assertEquals(loss.value(), loss.total().item_double(), 1e-12);
    assertEquals(0.5 * loss.term("pairwise").value(), loss.term("pairwise").weighted(), 1e-15);
    assertEquals(
        List.of("supervised", "pairwise", "inter_class_similarity"),
        loss.terms().stream().map(TermValue::name).toList());
    double expected =
        PairwiseLoss.skdCvpr19()
            .forward(inputs.student().get("features"), inputs.teacher().get("features"))
            .item_double();
    assertEquals(expected, loss.term("pairwise").value(), 0.0);
    loss.total().backward();
    assertTrue(inputs.student().get("features").grad().defined());
    assertTrue(inputs.student().get("logits").grad().defined());
  }

  @Test
  void gradientIsTheWeightedOne() {
    Objective objective = Objective.of(new WeightedTerm("square", 3.0, MEAN_SQUARE));
    StepInputs inputs = anyStep(0);
    objective.compute(inputs).total().backward();
    Tensor features = inputs.student().get("features");
    Tensor expected = features.detach().mul(new Scalar(3.0 * 2.0 / features.numel()));
    assertTrue(Tensors.relativeError(features.grad(), expected) < 1e-14);
  }

  @Test
  void adaptiveWeightsMoveFromOneTermToTheOther() {
    AdaptiveLossWeighting alw = new AdaptiveLossWeighting(4);
    Objective objective =
        Objective.of(
            new WeightedTerm("late", alw.rising(2.0), MEAN_SQUARE),
            new WeightedTerm("early", alw.falling(1.0), MEAN_SQUARE));
    StepLoss first = objective.compute(anyStep(0));
    assertEquals(0.0, first.term("late").weighted());
    assertTrue(first.term("late").value() > 0, "a term of weight 0 keeps its raw value");
    StepLoss middle = objective.compute(anyStep(1));
    double square = middle.term("late").value();
    assertEquals((0.25 * 2.0 + 0.75) * square, middle.total().item_double(), 1e-14);
    assertEquals(2.0 * square, objective.compute(anyStep(100)).total().item_double(), 1e-14);
  }

  @Test
  void termOfWeightZeroGetsNoGradient() {
    Objective objective =
        Objective.of(
            new WeightedTerm("on", 1.0, Term.of(new CrossEntropyLoss(255), "logits")),
            new WeightedTerm("off", 0.0, MEAN_SQUARE));
    StepInputs inputs = anyStep(0);
    objective.compute(inputs).total().backward();
    assertFalse(inputs.student().get("features").grad().defined());
  }

  @Test
  void aWeightThatDecaysOutOfTheRangeOfFloatsIsZero() {
    Objective objective =
        Objective.of(
            new WeightedTerm("stays", 1.0, MEAN_SQUARE),
            new WeightedTerm("decays", step -> Math.pow(10, -step), MEAN_SQUARE));
    assertEquals(1e-30, objective.compute(anyStep(30)).term("decays").weight(), 1e-44);
    assertEquals(0, objective.compute(anyStep(46)).term("decays").weight());
  }

  @Test
  void nanStopsNamingTermAndStep() {
    Objective objective =
        Objective.of(
            new WeightedTerm("fine", 1.0, MEAN_SQUARE),
            new WeightedTerm("bad", 1.0, i -> i.student("logits").mean().div(new Scalar(0.0))));
    DivergedException diverged =
        assertThrows(DivergedException.class, () -> objective.compute(anyStep(12)));
    assertEquals("bad", diverged.term());
    assertEquals(12, diverged.step());
    assertTrue(diverged.getMessage().startsWith("term \"bad\" is "), diverged.getMessage());
    assertTrue(
        diverged.getMessage().contains(" at step 12, first for image 0"), diverged.getMessage());
  }

  /** Without gradient it would leave the total as it is, and the training would go on unaware. */
  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY})
  void termOfWeightZeroThatIsNotFiniteIsNamed(double value) {
    Objective objective =
        Objective.of(
            new WeightedTerm("on", 1.0, MEAN_SQUARE),
            new WeightedTerm("off", 0.0, in -> torch.full(new long[] {}, new Scalar(value))));
    DivergedException diverged =
        assertThrows(DivergedException.class, () -> objective.compute(anyStep(7)));
    assertEquals("off", diverged.term());
    assertEquals(7, diverged.step());
  }

  @Test
  void sumThatOverflowsDiverges() {
    Loss huge =
        i ->
            i.student("logits").sum().mul(new Scalar(0)).add(new Scalar(3e38)).to(ScalarType.Float);
    Objective objective =
        Objective.of(new WeightedTerm("a", 1.0, huge), new WeightedTerm("b", 1.0, huge));
    assertEquals(
        "total", assertThrows(DivergedException.class, () -> objective.compute(anyStep(0))).term());
  }

  @Test
  void supervisedTermLeavesIgnoredPixelsOut() {
    Tensor logits = Tensors.leaf(Tensors.gaussian(2, 1, 3, 1, 4), ScalarType.Double);
    Tensor labels = Tensor.create(new long[] {0, 255, 2, 255}, 1, 1, 4);
    Tensor loss = CrossEntropyLoss.standard().forward(logits, labels);
    double[] z = Tensors.values(logits);
    double expected = 0;
    for (int x : new int[] {0, 2}) {
      double sum = Math.exp(z[x]) + Math.exp(z[4 + x]) + Math.exp(z[8 + x]);
      expected -= (z[4 * x + x] - Math.log(sum)) / 2; // label x at pixel x
    }
    assertEquals(expected, loss.item_double(), 1e-14);
    loss.backward();
    double[] gradient = Tensors.values(logits.grad());
    assertEquals(0.0, gradient[1]);
    assertEquals(0.0, gradient[3]);
  }

  @Test
  void supervisedTermWithoutValidPixelIsZero() {
    Tensor logits = Tensors.leaf(Tensors.gaussian(2, 1, 3, 2, 2), ScalarType.Float);
    StepInputs inputs = step(0, Tensors.gaussian(1, 1, 1, 2, 2), logits, labels(255, 1, 2, 2));
    StepLoss loss =
        Objective.of(
                new WeightedTerm("supervised", 1.0, Term.of(new CrossEntropyLoss(255), "logits")))
            .compute(inputs);
    assertEquals(0.0, loss.value());
    loss.total().backward();
    for (double g : Tensors.values(logits.grad())) {
      assertEquals(0.0, g);
    }
  }

  @Test
  void totalBelongsToTheCallersScopeAndNumbersOutliveIt() {
    Objective objective = Objective.of(new WeightedTerm("square", 1.0, MEAN_SQUARE));
    StepInputs inputs = anyStep(0);
    StepLoss loss;
    try (PointerScope inner = new PointerScope()) {
      loss = objective.compute(inputs);
      assertFalse(loss.total().isNull());
    }
    assertTrue(loss.total().isNull());
    assertTrue(loss.value() > 0);
  }

  @Test
  void manyStepsKeepNativeMemoryFlat() {
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1.0, Term.of(new CrossEntropyLoss(255), "logits")),
            new WeightedTerm("square", 1.0, MEAN_SQUARE));
    StepInputs inputs = anyStep(0);
    long before = 0;
    for (int i = 0; i < 3000; i++) {
      try (PointerScope inner = new PointerScope()) {
        objective.compute(inputs);
      }
      if (i == 1000) {
        before = Pointer.physicalBytes();
      }
    }
    long grown = Pointer.physicalBytes() - before;
    assertTrue(grown < 16 << 20, "resident memory grew by " + grown + " bytes");
  }

  // Bad input: what the sentence must say.

  @Test
  void rejectsImpossibleObjectives() {
    WeightedTerm term = new WeightedTerm("square", 1.0, MEAN_SQUARE);
    refused("an objective needs at least one term", Objective::of);
    refused(
        "two terms have the name \"square\", names must differ", () -> Objective.of(term, term));
    refused(
        "all weights are 0 (a, b): nothing would be learned",
        () ->
            Objective.of(
                new WeightedTerm("a", 0.0, MEAN_SQUARE), new WeightedTerm("b", 0.0, MEAN_SQUARE)));
    refused(
        "term \"a\": weight is -1.0, expected a finite number of at least 0",
        () -> new WeightedTerm("a", -1.0, MEAN_SQUARE));
    refused(
        "term \"a\": weight is NaN, expected a finite number of at least 0",
        () -> new WeightedTerm("a", Double.NaN, MEAN_SQUARE));
    String range = ", expected 0 or what an f32 holds, 1.17549435E-38 to 3.4028235E38";
    for (double weight : new double[] {1e-46, 1e-39, 1e39}) {
      refused(
          "term \"a\": weight is " + weight + range,
          () -> new WeightedTerm("a", weight, MEAN_SQUARE));
    }
    refused("a term needs a name, given: \" \"", () -> new WeightedTerm(" ", 1.0, MEAN_SQUARE));
    refused("term \"a\": term is null", () -> new WeightedTerm("a", 1.0, (Term) null));
  }

  @Test
  void rejectsUnknownTapsNamingKnownOnes() {
    Objective objective =
        Objective.of(
            new WeightedTerm(
                "pairwise", 1.0, Term.of(PairwiseLoss.cirkd(), "feature", "features")));
    refused(
        "term \"pairwise\": student has no tap \"feature\" for the role \"features\", it has:"
            + " features, logits; did you mean \"features\"?",
        () -> objective.compute(anyStep(0)));
    refused(
        "term \"pairwise\": student has no tap \"feature\" for the role \"features\", it has: none",
        () -> objective.requireTaps(new Taps(Set.of(), Set.of("features"))));
    assertEquals(Taps.of("feature", "features"), objective.taps());
  }

  @Test
  void rejectsImpossibleStepsAndSchedules() {
    Objective never = Objective.of(new WeightedTerm("a", step -> step == 0 ? 1 : 0, MEAN_SQUARE));
    refused(
        "all weights are 0 at step 3 (a): there is nothing to differentiate",
        () -> never.compute(anyStep(3)));
    Objective wrong = Objective.of(new WeightedTerm("a", step -> -1.0, MEAN_SQUARE));
    refused(
        "term \"a\": its schedule gives weight -1.0 at step 3, expected a finite number of at least"
            + " 0, in the range of f32",
        () -> wrong.compute(anyStep(3)));
    Objective tooHigh = Objective.of(new WeightedTerm("a", step -> 1e39, MEAN_SQUARE));
    assertThrows(IllegalArgumentException.class, () -> tooHigh.compute(anyStep(0)));
    refused("step is -1, expected at least 0", () -> anyStep(-1));
    Objective notScalar = Objective.of(new WeightedTerm("a", 1.0, i -> i.student("features")));
    refused(
        "term \"a\": its result is not a scalar, expected one",
        () -> notScalar.compute(anyStep(0)));
  }

  @Test
  void whatLibTorchRefusesIsToldInASentenceWithTheTermsName() {
    Loss closed =
        i -> {
          Tensor gone = i.student("logits").mul(new Scalar(2));
          gone.close();
          return gone.sum();
        };
    refused(
        StructkdException.class,
        "term \"late\": a tensor, module or other native object has been closed, or its PointerScope"
            + " has ended",
        () -> Objective.of(new WeightedTerm("late", 1.0, closed)).compute(anyStep(0)));
    IllegalStateException own = new IllegalStateException("mine");
    Loss failing =
        i -> {
          throw own;
        };
    assertSame(
        own,
        assertThrows(
            IllegalStateException.class,
            () -> Objective.of(new WeightedTerm("own", 1.0, failing)).compute(anyStep(0))));
  }

  @Test
  void rejectsATermWithoutGradient() {
    Objective objective =
        Objective.of(
            new WeightedTerm("square", 1.0, MEAN_SQUARE),
            new WeightedTerm("cut", 1.0, i -> i.student("logits").detach().mean()));
    refused(
        "term \"cut\": its result has no gradient, although the student's outputs do, so it would"
            + " teach nothing: compute it from them without detach() or NoGradGuard, or give it"
            + " weight 0",
        () -> objective.compute(anyStep(0)));
    try (NoGradGuard valuesOnly = new NoGradGuard()) {
      assertTrue(Double.isFinite(objective.compute(anyStep(0)).value()));
    }
  }

  @Test
  void rejectsLabelsThatDoNotFit() {
    Objective objective =
        Objective.of(
            new WeightedTerm("supervised", 1.0, Term.of(new CrossEntropyLoss(255), "logits")));
    Tensor features = Tensors.gaussian(1, 2, 4, 5, 5);
    Tensor logits = Tensors.gaussian(2, 2, 3, 5, 5);
    refused(
        "term \"supervised\": batch has no target \"labels\", it has: none",
        () -> objective.compute(step(0, features, logits, null)));
    refused(
        "term \"supervised\": cross-entropy: labels has the value 3, expected 0 to 2 (the"
            + " channels of logits), the ignoreIndex 255, or -1",
        () -> objective.compute(step(0, features, logits, labels(3, 2, 5, 5))));
    refused(
        "term \"supervised\": cross-entropy: labels [3, 5, 5] does not fit logits [2, 3, 5, 5],"
            + " expected [batch, height, width]",
        () -> objective.compute(step(0, features, logits, labels(0, 3, 5, 5))));
    refused(
        "term \"supervised\": cross-entropy: labels is Float, expected integers",
        () ->
            objective.compute(step(0, features, logits, labels(0, 2, 5, 5).to(ScalarType.Float))));
  }
}
