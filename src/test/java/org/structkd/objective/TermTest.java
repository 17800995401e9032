package org.structkd.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.MapLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.testing.Tensors;

/** What {@link Term#of} offers without a lambda. */
class TermTest {
  private static final PixelwiseLoss KD = PixelwiseLoss.kd().withTemperature(2);

  private PointerScope scope;
  private Tensor student;
  private Tensor teacher;
  private Tensor other;
  private Tensor labels;
  private StepInputs inputs;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
    student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 4, 6), ScalarType.Float);
    teacher = Tensors.gaussian(2, 2, 3, 8, 12).to(ScalarType.Float);
    other = Tensors.gaussian(4, 2, 3, 8, 12).to(ScalarType.Float);
    // At the size of an image, a third without a class.
    int[] values = new Random(3).ints(2 * 32 * 48, 0, 4).map(y -> y == 3 ? 255 : y).toArray();
    labels = Tensor.create(values, 2, 32, 48).to(ScalarType.Byte);
    inputs =
        new StepInputs(
            Map.of("logits", student, "features", student),
            Map.of("logits", teacher, "features", teacher, "other", other),
            labels,
            5);
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  private static Tensor compute(Term term, StepInputs inputs) {
    return term.loss().forward(term.inputs(inputs, null));
  }

  private double value(Term term) {
    return compute(term, inputs).item_double();
  }

  private Tensor small(Tensor map) {
    return torch.upsample_bilinear2d(map, new long[] {4, 6}, false);
  }

  @Test
  void theTeacherIsResizedToTheStudent() {
    Term term = Term.of(KD, "logits").withTeacherResized();
    Tensor loss = compute(term, inputs);
    assertEquals(KD.forward(student, small(teacher)).item_double(), loss.item_double());
    loss.backward();
    assertTrue(student.grad().defined());
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> compute(Term.of(KD, "logits"), inputs));
    assertTrue(e.getMessage().contains("differ in height and width"), e.getMessage());
  }

  @Test
  void eachNetworkIsReadAtItsOwnTap() {
    Term term = Term.of(KD, "features", "other").withTeacherResized();
    assertEquals(KD.forward(student, small(other)).item_double(), value(term));
    assertEquals(new Taps(Set.of("features"), Set.of("other")), term.taps());
  }

  @Test
  void pixelsWithoutAClassAreLeftOut() {
    Tensor atMap = labels.view(2, 4, 8, 6, 8).select(4, 0).select(2, 0); // every eighth
    Tensor valid = atMap.ne(new Scalar(255));
    assertEquals(
        KD.forward(student, small(teacher), valid).item_double(),
        value(Term.of(KD, "logits").withIgnoreIndex(255).withTeacherResized()));
    PairwiseLoss pairwise = PairwiseLoss.skdCvpr19();
    assertEquals(
        pairwise.forward(student, small(teacher), valid.to(ScalarType.Float)).item_double(),
        value(Term.of(pairwise, "logits").withTeacherResized().withIgnoreIndex(255)));
  }

  @Test
  void theStructuralTermDrawsAmongPixelsThatTheTeacherGetsRight() {
    GlobalStructuralLoss loss = GlobalStructuralLoss.standard();
    Term term = Term.of(loss, "features").withTeacher("logits", "other").withTeacherResized();
    double value = value(term);
    assertTrue(value > 0);
    assertEquals(
        loss.forward(student, small(teacher), small(other), labels, 5).item_double(), value);
    assertEquals(new Taps(Set.of("features"), Set.of("features", "other")), term.taps());
    Taps own = new Taps(Set.of("a"), Set.of("a", "logits"));
    assertEquals(own, Term.of(loss, "a").taps(), "a role that is not wired is its own tap");
  }

  @Test
  void whatCannotBeIsRefused() {
    MapLoss own = (s, t) -> s.sub(t).square().mean();
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> Term.of(own, "logits").withTeacherResized().withIgnoreIndex(255));
    assertEquals(
        "the loss has no rule for positions without a label, so it cannot leave out those of the"
            + " ignoreIndex 255 of a term; some losses have a setting of their own for it",
        e.getMessage());
    StepInputs tokens =
        new StepInputs(
            Map.of("t", torch.zeros(2, 5, 3)), Map.of("t", torch.zeros(2, 6, 3)), null, 0);
    e =
        assertThrows(
            IllegalArgumentException.class,
            () -> compute(Term.of(KD, "t").withTeacherResized(), tokens));
    assertEquals(
        "resizing of the teacher: student [2, 5, 3] and teacher [2, 6, 3], expected two maps"
            + " [batch, channels, height, width]",
        e.getMessage());
    e =
        assertThrows(
            IllegalArgumentException.class,
            () -> compute(Term.of(KD, "t").withIgnoreIndex(255), tokens));
    assertEquals("batch has no target \"labels\", it has: none", e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> Term.of(null, "logits"));
    assertThrows(IllegalArgumentException.class, () -> Term.of(KD, null));
  }
}
