package org.structkd.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.MapLoss;
import org.structkd.loss.Sampling;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** What terms read, what they count, and what is told about their gradients. */
@InScope
@Tag("emulated")
class TermLossTest {
  private static final MapLoss SQUARED_GAP = (s, t) -> s.sub(t).square().mean();

  private static TermValue value(Term term, StepInputs inputs) {
    return Objective.of(new WeightedTerm("term", 1, term)).compute(inputs).term("term");
  }

  @Test
  void twoTapNamesReadTheStudentsAndTheTeachersTap() {
    Tensor first =
        Tensors.leaf(torch.full(new long[] {1, 2, 3, 3}, new Scalar(1.0)), ScalarType.Double);
    Tensor second =
        Tensors.leaf(torch.full(new long[] {1, 2, 3, 3}, new Scalar(2.0)), ScalarType.Double);
    StepInputs inputs =
        new StepInputs(
            Map.of("a", first, "b", second),
            Map.of(
                "a", first.detach().add(new Scalar(10)), "b", second.detach().add(new Scalar(20))),
            null,
            0);
    Term term = Term.of(SQUARED_GAP, "a", "b");
    assertEquals((22.0 - 1) * (22 - 1), value(term, inputs).value());
    assertEquals((11.0 - 2) * (11 - 2), value(Term.of(SQUARED_GAP, "b", "a"), inputs).value());
    assertEquals(100, value(Term.of(SQUARED_GAP, "a"), inputs).value());
    assertEquals(new Taps(Set.of("a"), Set.of("b")), term.taps());
    assertEquals(OptionalLong.of(9), value(term, inputs).tookPart());
    Term uncounted = Term.of(in -> SQUARED_GAP.forward(in.student("a"), in.teacher("b")));
    assertEquals((22.0 - 1) * (22 - 1), value(uncounted, inputs).value());
    assertEquals(OptionalLong.empty(), value(uncounted, inputs).tookPart());
  }

  private static Tensor labelled(long... values) {
    return Tensor.create(values, 1, 1, values.length);
  }

  @Test
  void ignoredPixelsMayBeNotANumber() {
    double[] z = {1, Double.NaN, 3, -1, Double.NEGATIVE_INFINITY, 2};
    Tensor logits = Tensors.leaf(Tensor.create(z, 1, 2, 1, 3), ScalarType.Float);
    Tensor clean =
        Tensors.leaf(Tensor.create(new double[] {1, 7, 3, -1, 8, 2}, 1, 2, 1, 3), ScalarType.Float);
    Tensor labels = labelled(0, 255, 1);
    Tensor loss = CrossEntropyLoss.standard().forward(logits, labels);
    Tensor expected = CrossEntropyLoss.standard().forward(clean, labels);
    loss.backward();
    expected.backward();
    assertEquals(expected.item_double(), loss.item_double());
    assertTrue(Tensors.sameBits(clean.grad(), logits.grad()));
    assertEquals(0.0, Tensors.values(logits.grad())[1]);
  }

  @Test
  void crossEntropyCountsValidPixels() {
    Tensor logits = Tensors.leaf(Tensors.gaussian(1, 1, 2, 1, 3), ScalarType.Float);
    Term term = Term.of(CrossEntropyLoss.standard(), "logits");
    for (int valid = 0; valid <= 3; valid++) {
      Tensor labels = labelled(valid > 0 ? 1 : 255, valid > 1 ? 0 : 255, valid > 2 ? 1 : 255);
      StepInputs inputs = new StepInputs(Map.of("logits", logits), Map.of(), labels, 0);
      assertEquals(OptionalLong.of(valid), value(term, inputs).tookPart());
    }
  }

  @Test
  void theStructuralTermIsItsLossAndCountsSamples() {
    GlobalStructuralLoss loss = GlobalStructuralLoss.standard();
    Tensor features = Tensors.gaussian(1, 2, 4, 6, 6).to(ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 2, 4, 6, 6).to(ScalarType.Float);
    Tensor logits = Tensors.gaussian(3, 2, 3, 6, 6).to(ScalarType.Float);
    Tensor labels = torch.arange(new Scalar(72)).remainder(new Scalar(3)).reshape(2, 6, 6);
    Tensor ours = Tensors.leaf(features, ScalarType.Float);
    Tensor theirs = Tensors.leaf(features, ScalarType.Float);
    StepInputs inputs =
        new StepInputs(
            Map.of("f", ours), Map.of("f", teacher, "z", logits), labels.to(ScalarType.Long), 5);
    Term term = Term.of(loss, "f").withTeacher("logits", "z");
    loss.forward(term.inputs(inputs, null)).backward();
    Tensor expected = loss.forward(theirs, teacher, logits, labels.to(ScalarType.Long), 5);
    expected.backward();
    TermValue value = value(term, inputs);
    assertEquals(expected.item_double(), value.value());
    assertTrue(Tensors.sameBits(theirs.grad(), ours.grad()));
    assertEquals(OptionalLong.of(2 * 3 * 8), value.tookPart());
    assertEquals(new Taps(Set.of("f"), Set.of("f", "z")), term.taps());
    Term random = Term.of(GlobalStructuralLoss.standard().withSampling(Sampling.random(4)), "f");
    assertEquals(Taps.of("f", "f"), random.taps());
    StepInputs unlabelled = new StepInputs(Map.of("f", ours), Map.of("f", teacher), null, 5);
    assertEquals(OptionalLong.of(8), value(random, unlabelled).tookPart());
  }

  @Test
  void silentTermsAreToldOnceEachWithTheCount() {
    SilentTerms silent = new SilentTerms();
    OptionalLong none = OptionalLong.of(0);
    OptionalLong all = OptionalLong.of(128);
    for (int step = 0; step < 60; step++) {
      List<String> told =
          silent.after(
              new StepLoss(
                  new Tensor(),
                  step,
                  List.of(
                      new TermValue("never", 1, 0, none),
                      new TermValue("agrees", 1, 0, all),
                      new TermValue("sometimes", 1, step % 20 == 19 ? 1 : 0, none),
                      new TermValue("off", 0, 0, none),
                      new TermValue("learns", 1, 1, all))));
      assertEquals(step == 19 ? 2 : 0, told.size(), "step " + step + told);
      if (step == 19) {
        assertEquals(
            "term \"never\" was 0 for 20 steps in a row, up to step 19: no pixel, node or sample"
                + " took part; check labels, ignore index, masks and sampling",
            told.get(0));
        assertEquals(
            "term \"agrees\" was 0 for 20 steps in a row, up to step 19, although 128 pixels, nodes"
                + " or samples took part in the last one: student and teacher agree (are they one"
                + " network?), or their maps are constant",
            told.get(1));
      }
    }
  }

  /** A layer whose outputs are a student's. */
  private static StepInputs outputs(LinearImpl layer, Tensor input) {
    return new StepInputs(Map.of("out", layer.forward(input)), Map.of(), null, 3);
  }

  @Test
  void theTermWithTheBadGradientIsNamedWhereverItStands() {
    LinearImpl layer = new LinearImpl(2, 2);
    Tensor input = torch.ones(1, 2);
    WeightedTerm fine = new WeightedTerm("fine", 1, in -> in.student("out").square().mean());
    WeightedTerm bad =
        new WeightedTerm("bad", 2, in -> in.student("out").mul(new Scalar(0)).sum().sqrt());
    for (List<WeightedTerm> terms : List.of(List.of(fine, bad), List.of(bad, fine))) {
      Objective objective = new Objective(terms);
      GradientCheck check = new GradientCheck(objective, layer);
      layer.zero_grad(true);
      objective.compute(outputs(layer, input)).total().backward();
      DivergedException error =
          assertThrows(
              DivergedException.class, () -> check.require(3, () -> outputs(layer, input)));
      assertEquals("bad", error.term());
      assertEquals(3, error.step());
      assertTrue(
          error
              .getMessage()
              .startsWith("the gradient of term \"bad\" is NaN at step 3, first in \"weight\""),
          error.getMessage());
      assertTrue(!layer.weight().grad().defined(), "a bad gradient was left");
    }
  }

  @Test
  void termsWhoseSumAloneOverflowsAreTheTotal() {
    LinearImpl layer = new LinearImpl(1, 1);
    try (NoGradGuard values = new NoGradGuard()) {
      layer.weight().fill_(new Scalar(1.0));
    }
    Loss slope = in -> in.student("out").sum();
    Objective objective =
        Objective.of(new WeightedTerm("a", 1e19, slope), new WeightedTerm("b", 1e19, slope));
    GradientCheck check = new GradientCheck(objective, layer);
    Tensor input = torch.ones(1, 1);
    objective.compute(outputs(layer, input)).total().backward();
    DivergedException error =
        assertThrows(DivergedException.class, () -> check.require(3, () -> outputs(layer, input)));
    assertEquals("total", error.term());
  }
}
