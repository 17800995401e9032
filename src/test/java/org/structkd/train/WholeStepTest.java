package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.loss.LossValue;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.InScope;

/** A step reaches the student whole or not at all. */
@InScope(threads = 1)
class WholeStepTest {
  private static final int STEPS = 25;
  private static final int BATCH = 2;
  private static final FashionScenes SCENES = FashionScenes.bundled();
  private static final WeightedTerm SUPERVISED =
      new WeightedTerm(
          "supervised", 1, Term.of(new CrossEntropyLoss(-1), SegmentationNet.UPSAMPLED));

  private static Distiller distiller(double rate, BatchSource batches, WeightedTerm... terms) {
    TrainingConfig config = TrainingConfig.of(STEPS, rate);
    return new Distiller(config, Objective.of(terms), batches);
  }

  private static Distiller distiller(WeightedTerm... terms) {
    return distiller(0.01, SceneBatches.of(SCENES, BATCH), terms);
  }

  /** A term of the student's logits that is harmless until a step. */
  private static WeightedTerm fromStep(long step, Loss broken) {
    return new WeightedTerm(
        "broken",
        1,
        in -> in.step() < step ? in.student("logits").square().mean() : broken.forward(in));
  }

  private static Tensor finiteWithGradientNan(LossInputs in) {
    return in.student("logits").mul(new Scalar(0)).sum().sqrt();
  }

  /** What the student is after as many steps without the failing one. */
  private static byte[] after(int steps, WeightedTerm... terms) throws IOException {
    SegmentationNet student = net(4, 1);
    StopSignal stop = new StopSignal();
    distiller(terms)
        .withStop(stop)
        .withListener(
            onStep(
                loss -> {
                  if (loss.step() + 1 == steps) {
                    stop.request();
                  }
                }))
        .train(student);
    return bytes(student);
  }

  @Test
  void aFiniteLossWithoutAFiniteGradientChangesNothingAndNamesItsTerm() throws IOException {
    WeightedTerm broken = fromStep(3, WholeStepTest::finiteWithGradientNan);
    SegmentationNet student = net(4, 1);
    DivergedException error =
        assertThrows(DivergedException.class, () -> distiller(SUPERVISED, broken).train(student));
    assertEquals("broken", error.term());
    assertEquals(3, error.step());
    assertTrue(Double.isNaN(error.value()));
    String said = error.getMessage();
    assertTrue(said.startsWith("the gradient of term \"broken\" is NaN at step 3"), said);
    assertTrue(said.contains("the student is as it was before this step"), said);
    assertArrayEquals(after(3, SUPERVISED, broken), bytes(student));
  }

  /** Scenes, but for one image, whose pixels are all of one value. */
  private static BatchSource withImage(long brokenStep, double value) {
    BatchSource scenes = SceneBatches.of(SCENES, BATCH);
    return step -> {
      BatchSource.Prepared prepared = scenes.prepare(step);
      return () -> {
        Batch batch = prepared.tensors();
        if (step == brokenStep) {
          batch.input("images").select(0, 1).fill_(new Scalar(value));
        }
        return batch;
      };
    };
  }

  @Test
  void aHugeImageLeavesNoInfinityInTheBuffers() throws IOException {
    SegmentationNet student = net(4, 1);
    DivergedException error =
        assertThrows(
            DivergedException.class,
            () -> distiller(0.01, withImage(2, 1e30), SUPERVISED).train(student));
    String said = error.getMessage();
    assertTrue(
        said.matches("buffer \"\\w+_norm\\.running_var\" is not finite .* step 2: .*"), said);
    assertTrue(said.contains("the student is as it was before this step"), said);
    assertArrayEquals(after(2, SUPERVISED), bytes(student));
  }

  @Test
  void anImageThatIsNotANumberLeavesNoTraceInTheBuffers() throws IOException {
    BatchSource broken = withImage(2, Double.NaN);
    SegmentationNet student = net(4, 1);
    DivergedException error =
        assertThrows(
            DivergedException.class, () -> distiller(0.01, broken, SUPERVISED).train(student));
    assertEquals("supervised", error.term());
    String said = error.getMessage();
    assertTrue(said.contains("the student's \"features\" is not finite"), said);
    assertTrue(said.endsWith("; example 1 of the batch's \"images\" is not finite itself"), said);
    assertTrue(said.contains("the student is as it was before this step"), said);
    assertArrayEquals(after(2, SUPERVISED), bytes(student));
  }

  @Test
  void aTermThatRefusesItsInputsLeavesNoTraceEither() {
    WeightedTerm refusing =
        fromStep(
            0,
            in -> {
              throw new IllegalArgumentException("no");
            });
    SegmentationNet student = net(4, 1);
    byte[] before = bytes(student);
    assertThrows(IllegalArgumentException.class, () -> distiller(refusing).train(student));
    assertArrayEquals(before, bytes(student));
  }

  @Test
  void weightsThatWereNotFiniteBeforeAreTold() {
    SegmentationNet student = net(4, 1);
    Tensor head = student.module().named_parameters().get("head.weight");
    try (var noGrad = new org.bytedeco.pytorch.NoGradGuard()) {
      head.fill_(new Scalar(Double.NaN));
    }
    String said =
        assertThrows(DivergedException.class, () -> distiller(SUPERVISED).train(student))
            .getMessage();
    assertTrue(said.contains("its \"head.weight\" was not finite before"), said);
  }

  @Test
  void aWeightWhoseSquaredGradientOverflowsIsRefused() {
    WeightedTerm huge = fromStep(STEPS, WholeStepTest::finiteWithGradientNan);
    WeightedTerm weighted = new WeightedTerm("huge", 1e37, huge.term());
    SegmentationNet student = net(4, 1);
    byte[] before = bytes(student);
    DivergedException error =
        assertThrows(DivergedException.class, () -> distiller(SUPERVISED, weighted).train(student));
    assertEquals("huge", error.term());
    assertTrue(error.getMessage().contains("its weight 1.0E37"), error.getMessage());
    assertArrayEquals(before, bytes(student));
  }

  @Test
  void aFirstStepThatMovesNoWeightIsRefused() {
    for (double weight : new double[] {1e-20, 1e-30, 2e-38}) {
      WeightedTerm tiny = new WeightedTerm("tiny", weight, SUPERVISED.term());
      String said =
          assertThrows(IllegalArgumentException.class, () -> distiller(tiny).train(net(4, 1)))
              .getMessage();
      assertTrue(said.startsWith("step 0 moved no weight of the student that is not 0: "), said);
      assertTrue(said.contains("tiny " + weight), said);
    }
    String said =
        assertThrows(
                IllegalArgumentException.class,
                () -> distiller(1e-30, SceneBatches.of(SCENES, BATCH), SUPERVISED).train(net(4, 1)))
            .getMessage();
    assertTrue(said.contains("learning rate is 1.0E-30"), said);
  }

  @Test
  void aStudentThatIsFrozenAsAWholeIsRefused() {
    SegmentationNet student = net(4, 1);
    freeze(student.module());
    String said =
        assertThrows(IllegalArgumentException.class, () -> distiller(SUPERVISED).train(student))
            .getMessage();
    assertTrue(said.contains("no parameter of the student requires a gradient"), said);
  }

  private static void freeze(Module module) {
    var parameters = module.parameters();
    for (long i = 0; i < parameters.size(); i++) {
      parameters.get(i).set_requires_grad(false);
    }
  }

  @Test
  void whatTheUserFrozeStaysFrozen() throws IOException {
    SegmentationNet student = net(4, 1);
    Module frozen = student.module().named_modules("", false).get("quarter_norm");
    frozen.eval();
    freeze(frozen);
    Module merelyEvaluating = student.module().named_modules("", false).get("skip_norm");
    merelyEvaluating.eval();
    Tensor mean = frozen.named_buffers().get("running_mean").clone();
    Tensor weight = frozen.named_parameters().get("weight").clone();
    List<Boolean> modes = new ArrayList<>();
    distiller(SUPERVISED)
        .withListener(
            onStep(
                loss -> {
                  modes.add(frozen.is_training());
                  modes.add(!merelyEvaluating.is_training());
                }))
        .train(student);
    assertFalse(modes.contains(true));
    assertTrue(torch.equal(mean, frozen.named_buffers().get("running_mean")));
    assertTrue(torch.equal(weight, frozen.named_parameters().get("weight")));
  }

  @Test
  void aTermThatIsZeroForTwentyStepsIsToldOnceWithTheReason() throws IOException {
    Loss nothing = in -> in.student("logits").mul(new Scalar(0)).sum();
    List<String> told = new ArrayList<>();
    distiller(
            SUPERVISED,
            new WeightedTerm("silent", 1, nothing),
            new WeightedTerm(
                "unlabelled",
                1,
                new Loss() {
                  @Override
                  public Tensor forward(LossInputs in) {
                    return measure(in).loss();
                  }

                  @Override
                  public LossValue measure(LossInputs in) {
                    Tensor noLabel = in.target(LossInputs.LABELS).mul(new Scalar(0));
                    Tensor logits = in.student(SegmentationNet.UPSAMPLED);
                    return new LossValue(
                        new CrossEntropyLoss(0).forward(logits, noLabel), noLabel.sum());
                  }
                }))
        .withListener(
            new TrainingListener() {
              @Override
              public void onWarning(String sentence) {
                told.add(sentence);
              }
            })
        .train(net(4, 1));
    assertEquals(2, told.size(), told.toString());
    assertTrue(
        told.get(0).startsWith("term \"silent\" was 0 for 20 steps in a row, up to step 19"),
        told.get(0));
    assertTrue(told.get(1).startsWith("term \"unlabelled\" was 0"), told.get(1));
    assertTrue(told.get(1).contains("no pixel, node or sample took part"), told.get(1));
  }
}
