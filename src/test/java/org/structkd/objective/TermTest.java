package org.structkd.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.MapLoss;
import org.structkd.loss.Needs;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.Projector;
import org.structkd.loss.TrainedPart;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** What {@link Term#of} offers without a lambda. */
@InScope
class TermTest {
  private static final PixelwiseLoss KD = PixelwiseLoss.kd().withTemperature(2);

  private Tensor student;
  private Tensor teacher;
  private Tensor other;
  private Tensor labels;
  private StepInputs inputs;

  @BeforeEach
  void openScope() {
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

  /** A loss with a role of one output, a list of layers, and an input and a target of the batch. */
  private record Layers() implements Loss {
    @Override
    public Tensor forward(LossInputs in) {
      return in.student("layers.0").mean().add(in.student("layers.1").sum()).add(in.input("x"));
    }

    @Override
    public Needs needs() {
      return new Needs(
          List.of(new Needs.Role("layers", Set.of(2, 3), true)),
          List.of(Needs.Role.of("logits", 4)),
          Set.of("depth"),
          Set.of("x"),
          false);
    }
  }

  @Test
  void aListOfLayersIsWiredByNumber() {
    Term term = Term.of(new Layers(), "first").withStudent("layers.1", "second");
    assertEquals(
        new Taps(Set.of("first", "second"), Set.of("logits")),
        term.withTeacher("logits", "logits").taps());
    StepInputs step =
        new StepInputs(
            Map.of("first", torch.ones(2, 3), "second", torch.ones(2, 3)),
            Map.of("first", teacher),
            Map.of("depth", teacher),
            Map.of("x", torch.ones(1)),
            Map.of(),
            0);
    assertEquals(8, compute(term, step).item_double());
    assertEquals(Set.of("layers"), Term.of(new Layers()).taps().student(), "a list of one");
  }

  @Test
  void theWiringIsCheckedAgainstTheNeeds() {
    refused(
        "PixelwiseLoss has no role \"logit\" of the teacher, it has: logits; did you mean"
            + " \"logits\"?",
        () -> Term.of(KD).withTeacher("logit", "other"));
    refused(
        "CrossEntropyLoss has no role \"logits\" of the teacher, it has: none",
        () -> Term.of(CrossEntropyLoss.standard()).withTeacher("logits", "other"));
    refused(
        "CrossEntropyLoss has no rule for positions without a label, so it cannot leave out those"
            + " of the ignoreIndex 255 of a term; some losses have a setting of their own for it",
        () -> Term.of(CrossEntropyLoss.standard()).withIgnoreIndex(255));
    assertThrows(
        IllegalArgumentException.class,
        () -> Term.of(InterClassSimilarityLoss.aicsdReleased()).withIgnoreIndex(255));
    Loss own = in -> in.student("logits").sum();
    assertThrows(IllegalArgumentException.class, () -> Term.of(own, "logits"));
    assertThrows(IllegalArgumentException.class, () -> Term.of(own).withTeacherResized());
  }

  /** Taps are looked for by their own names, and in the roles that are wired. */
  @Test
  void aLambdaReadsTapsByNameAndByRole() {
    Loss own = in -> in.student("logits").sum().sub(in.teacher("theirs").sum());
    Term term = Term.of(own).withTeacher("theirs", "other");
    double expected = student.sum().item_double() - other.sum().item_double();
    assertEquals(expected, value(term), 1e-3);
    assertEquals(new Taps(Set.of(), Set.of("other")), term.taps());
    refused(
        "teacher has no output \"their\", it has: features, logits, other",
        () -> value(Term.of(in -> in.teacher("their"))));
  }

  @Test
  void ranksTargetsAndInputsAreCheckedBeforeTraining() {
    Term term = Term.of(new Layers(), "a", "b");
    Map<String, Tensor> ours = Map.of("a", torch.ones(2, 3, 4, 4));
    Map<String, Tensor> theirs = Map.of("b", teacher);
    Map<String, Tensor> depth = Map.of("depth", teacher);
    Objective objective = Objective.of(new WeightedTerm("own", 1, term));
    refused(
        "term \"own\": the role \"layers.0\" is played by the student's tap \"a\" of rank 4,"
            + " expected 2 or 3",
        () -> objective.requireFit(new StepInputs(ours, theirs, depth, depth, Map.of(), 0)));
    Map<String, Tensor> tokens = Map.of("a", torch.ones(2, 3, 4));
    refused(
        "term \"own\": the batch has no target \"depth\", which the loss reads, it has: none",
        () -> objective.requireFit(new StepInputs(tokens, theirs, Map.of(), depth, Map.of(), 0)));
    refused(
        "term \"own\": the batch has no input \"x\", which the loss reads, it has: depth",
        () -> objective.requireFit(new StepInputs(tokens, theirs, depth, depth, Map.of(), 0)));
    refused(
        "term \"own\": teacher has no tap \"b\" for the role \"logits\", it has: none",
        () -> objective.requireFit(new StepInputs(tokens, Map.of(), null, 0)));
    Objective masked =
        Objective.of(new WeightedTerm("kd", 1, Term.of(KD, "logits").withIgnoreIndex(255)));
    masked.requireFit(inputs);
    refused(
        "term \"kd\": the batch has no target \"labels\", which the loss reads, it has: none",
        () -> masked.requireFit(new StepInputs(inputs.student(), inputs.teacher(), null, 0)));
  }

  /** The student's features, lifted to the teacher's channels by a projector that is trained. */
  private record Lifted() implements Loss {
    @Override
    public Tensor forward(LossInputs in) {
      Tensor lifted = ((Projector) in.part()).forward(in.student("features"));
      return lifted.sub(in.teacher("features")).square().mean();
    }

    @Override
    public Needs needs() {
      return Needs.pair(Needs.Role.of("features", 4), false);
    }

    @Override
    public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
      int ours = (int) dryRun.student("features").size(1);
      int theirs = (int) dryRun.teacher("features").size(1);
      return Optional.of(new Projector(ours, theirs, seed));
    }
  }

  @Test
  void whatALossTrainsIsMadeOfTheShapesOfADryRun() {
    Objective objective =
        Objective.of(
            new WeightedTerm("first", 1, Term.of(new Lifted())),
            new WeightedTerm("kd", 1, Term.of(KD, "logits")),
            new WeightedTerm("second", 1, Term.of(new Lifted())));
    Tensor features = Tensors.leaf(Tensors.gaussian(1, 2, 5, 4, 6), ScalarType.Float);
    Map<String, Tensor> ours = Map.of("features", features, "logits", student);
    Map<String, Tensor> theirs = Map.of("features", small(teacher), "logits", small(other));
    Map<String, TrainedPart> parts =
        objective.trainedParts(new StepInputs(ours, theirs, labels, 0), 7);
    assertEquals(List.of("first", "second"), List.copyOf(parts.keySet()));
    StepLoss loss = objective.compute(new StepInputs(ours, theirs, Map.of(), Map.of(), parts, 0));
    loss.total().backward();
    assertTrue(features.grad().defined());
    Tensor first = parts.get("first").module().parameters().get(0);
    assertTrue(first.grad().defined(), "the part learns");
    assertNotEquals(loss.term("first").value(), loss.term("second").value(), "equal weights");
    Map<String, TrainedPart> again =
        Objective.of(objective.terms().get(2))
            .trainedParts(new StepInputs(ours, theirs, labels, 0), 7);
    assertTrue(
        Tensors.sameBits(
            parts.get("second").module().parameters().get(0),
            again.get("second").module().parameters().get(0)),
        "other terms change nothing");
    parts.values().forEach(TrainedPart::close);
    again.values().forEach(TrainedPart::close);
    assertThrows(IllegalStateException.class, parts.get("first")::module);
  }
}
