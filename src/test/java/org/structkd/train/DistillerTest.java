package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.StructkdException;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;
import org.structkd.data.DataFileException;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.loss.Loss;
import org.structkd.loss.LossInputs;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.optim.Schedule;
import org.structkd.testing.Evaluations;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;

@InScope
class DistillerTest {
  private static final int STEPS = 12;
  private static final int BATCH = 3;
  private static final FashionScenes SCENES = FashionScenes.bundled();

  @TempDir private Path folder;
  private Path checkpoint;

  @BeforeEach
  void open() {
    torch.set_num_threads(1);
    checkpoint = folder.resolve("student.checkpoint");
  }

  static TrainingConfig config(long checkpointEvery) {
    return TrainingConfig.of(STEPS, 0.01)
        .withSchedule(new Schedule.Poly(0.9, 3))
        .withCheckpointEvery(checkpointEvery);
  }

  private static Distiller distiller(Objective objective, long checkpointEvery) {
    return new Distiller(config(checkpointEvery), objective, SceneBatches.of(SCENES, BATCH))
        .withTeacher(net(8, 7));
  }

  private static Objective skd() {
    return Objectives.skd();
  }

  /** Stops a training after some steps. */
  private static TrainingListener stopAfter(long steps, StopSignal stop) {
    return onStep(
        loss -> {
          if (loss.step() + 1 == steps) {
            stop.request();
          }
        });
  }

  @Test
  void aStudentLearnsAndIsLeftInEvaluationMode() throws IOException {
    SegmentationNet student = net(4, 1);
    byte[] before = bytes(student);
    List<StepLoss> losses = new ArrayList<>();
    TrainingOutcome outcome =
        distiller(Objectives.skd(), 0)
            .withListener(onStep(loss -> losses.add(loss)))
            .train(student);
    assertTrue(outcome.complete());
    assertEquals(STEPS, outcome.stepsDone());
    assertEquals(STEPS, losses.size());
    assertEquals(3, losses.get(0).terms().size());
    assertFalse(Arrays.equals(before, bytes(student)));
    assertFalse(student.module().is_training());
  }

  @Test
  void learnsWhatTheLabelsSay() throws IOException {
    SegmentationNet student = net(4, 1);
    List<Double> losses = new ArrayList<>();
    new Distiller(TrainingConfig.of(60, 0.01), Objectives.supervised(), SceneBatches.of(SCENES, 8))
        .withListener(onStep(loss -> losses.add(loss.value())))
        .train(student);
    assertTrue(losses.get(59) < 0.6 * losses.get(0), losses.toString());
  }

  @Test
  void continuesBitForBitFromWhereverItWasStopped() throws IOException {
    SegmentationNet whole = net(4, 1);
    distiller(skd(), 0).train(whole);
    for (int at : new int[] {1, 5, STEPS - 1}) {
      Path file = folder.resolve("stopped-" + at);
      StopSignal stop = new StopSignal();
      SegmentationNet first = net(4, 1);
      TrainingOutcome stopped =
          distiller(skd(), 0)
              .withCheckpoint(file)
              .withStop(stop)
              .withListener(stopAfter(at, stop))
              .train(first);
      assertFalse(stopped.complete());
      assertEquals(at, stopped.stepsDone());
      SegmentationNet second = net(4, 99); // whose weights do not matter
      TrainingOutcome rest = distiller(skd(), 0).withCheckpoint(file).train(second);
      assertTrue(rest.complete());
      assertArrayEquals(bytes(whole), bytes(second), "stopped after " + at);
    }
  }

  @Test
  void aCompleteTrainingReturnsAtOnceWithItsWeights() throws IOException {
    SegmentationNet first = net(4, 1);
    TrainingOutcome done = distiller(skd(), 0).withCheckpoint(checkpoint).train(first);
    SegmentationNet second = net(4, 2);
    TrainingOutcome again = distiller(skd(), 0).withCheckpoint(checkpoint).train(second);
    assertEquals(done.stepNanos(), again.stepNanos());
    assertEquals(STEPS - 10, done.timedSteps(), "the first ten are no measure");
    assertEquals(done.millisPerStep(), again.millisPerStep());
    assertArrayEquals(bytes(first), bytes(second));
  }

  @Test
  void evaluationAndCheckpointsDoNotChangeTheResult() throws IOException {
    SegmentationNet plain = net(4, 1);
    distiller(skd(), 0).train(plain);
    SegmentationNet watched = net(4, 1);
    List<String> events = new ArrayList<>();
    new Distiller(config(6).withEvaluateEvery(4), skd(), SceneBatches.of(SCENES, BATCH))
        .withTeacher(net(8, 7))
        .withCheckpoint(checkpoint)
        .withEvaluation(Evaluations.of(SCENES, Split.VALIDATION, 3, SegmentationNet.UPSAMPLED))
        .withListener(recorder(events))
        .train(watched);
    assertArrayEquals(bytes(plain), bytes(watched));
    assertEquals(
        List.of(
            "start 0",
            "evaluation 4",
            "checkpoint 6",
            "evaluation 8",
            "evaluation 12",
            "checkpoint 12",
            "end 12"),
        events);
  }

  private static TrainingListener recorder(List<String> events) {
    return new TrainingListener() {
      @Override
      public void onStart(long firstStep, long steps) {
        events.add("start " + firstStep);
      }

      @Override
      public void onEvaluation(long stepsDone, Score score, int sinceBest) {
        events.add("evaluation " + stepsDone);
      }

      @Override
      public void onCheckpoint(long stepsDone, Path file) {
        events.add("checkpoint " + stepsDone);
      }

      @Override
      public void onEnd(TrainingOutcome outcome) {
        events.add("end " + outcome.stepsDone());
      }
    };
  }

  /** A term that is harmless until a step, and then not a number for one image. */
  private static Objective failing(long step, int image) {
    Loss loss =
        inputs -> {
          Tensor square = inputs.student("features").square();
          Tensor perImage = square.mean(1, 2, 3);
          if (inputs.step() < step) {
            return perImage.mean();
          }
          // Depends on the image's content alone, so that it is found in a batch of one, too.
          Tensor marked =
              inputs.target(LossInputs.LABELS).select(1, 0).select(1, 0).eq(new Scalar(image));
          return torch.where(marked, perImage.mul(new Scalar(Double.NaN)), perImage).mean();
        };
    return Objective.of(
        new WeightedTerm("fragile", 1, Term.of(loss).withStudent("features", "features")));
  }

  @Test
  void aTermThatIsNotANumberIsNamedWithStepAndImageAndTheStateBeforeIsSaved() throws IOException {
    // The first pixel of image 2 has label 100, which no other has.
    BatchSource marked =
        step ->
            () -> {
              Tensor images = torch.ones(new long[] {BATCH, 1, 48, 48});
              Tensor labels = torch.zeros(BATCH, 48, 48).to(torch.ScalarType.Long);
              labels.select(0, 2).fill_(new Scalar(100));
              return Batch.of(images, labels);
            };
    SegmentationNet student = net(4, 1);
    DivergedException error =
        assertThrows(
            DivergedException.class,
            () ->
                new Distiller(config(4), failing(9, 100), marked)
                    .withCheckpoint(checkpoint)
                    .train(student));
    assertEquals("fragile", error.term());
    assertEquals(9, error.step());
    assertEquals(2, error.image());
    assertTrue(error.getMessage().contains("step 9, first for image 2"), error.getMessage());
    List<String> events = new ArrayList<>();
    new Distiller(config(4), failing(STEPS, 100), marked)
        .withCheckpoint(checkpoint)
        .withListener(recorder(events))
        .train(net(4, 1));
    assertEquals("start 9", events.get(0));
  }

  @Test
  void aMissingTapIsNamedBeforeTraining() {
    Distiller withoutTeacher = new Distiller(config(0), skd(), SceneBatches.of(SCENES, BATCH));
    IllegalArgumentException error =
        assertThrows(IllegalArgumentException.class, () -> withoutTeacher.train(net(4, 1)));
    assertTrue(error.getMessage().contains("teacher has no tap \"logits\""), error.getMessage());
  }

  @Test
  void aSourceThatFailsEndsTheTrainingWithItsReason() {
    BatchSource failing =
        step -> {
          throw new IOException("disk on fire");
        };
    IllegalStateException error =
        assertThrows(
            IllegalStateException.class,
            () -> new Distiller(config(0), Objectives.supervised(), failing).train(net(4, 1)));
    assertTrue(error.getMessage().contains("step 0"), error.getMessage());
    assertEquals("disk on fire", error.getCause().getMessage());
  }

  /** Trains a few steps, so that there is a checkpoint. */
  private void leaveCheckpoint() throws IOException {
    StopSignal stop = new StopSignal();
    distiller(skd(), 0)
        .withCheckpoint(checkpoint)
        .withDescription("seed 1")
        .withStop(stop)
        .withListener(stopAfter(2, stop))
        .train(net(4, 1));
  }

  private String refusal(Objective objective, int width, String description) {
    SegmentationNet student = net(width, 5);
    DataFileException error =
        assertThrows(
            DataFileException.class,
            () ->
                distiller(objective, 0)
                    .withCheckpoint(checkpoint)
                    .withDescription(description)
                    .train(student));
    assertEquals(checkpoint.toString(), error.file());
    return error.getMessage();
  }

  @Test
  void checkpointsOfSomethingElseAreRefused() throws IOException {
    leaveCheckpoint();
    assertTrue(refusal(skd(), 5, "seed 1").contains("another network"));
    assertTrue(refusal(skd(), 4, "seed 2").contains("seed 2"));
    Objective other = Objectives.kd();
    assertTrue(refusal(other, 4, "seed 1").contains("terms supervised, pixelwise; "));
    Files.writeString(checkpoint, "STRUCTKD, as such files once began");
    assertTrue(refusal(skd(), 4, "seed 1").contains("a file of an earlier structkd"));
    Files.write(checkpoint, net(4, 1).toFile(Map.of()).toBytes());
    assertTrue(refusal(skd(), 4, "seed 1").contains("\"kind\""));
  }

  @Test
  void aTruncatedCheckpointIsRefusedWhereverItEnds() throws IOException {
    leaveCheckpoint();
    byte[] good = Files.readAllBytes(checkpoint);
    for (int length : new int[] {0, 5, 10, 23, 24, 1000, good.length - 1}) {
      Files.write(checkpoint, Arrays.copyOf(good, length));
      assertTrue(refusal(skd(), 4, "seed 1").contains("expected "), "length " + length);
    }
    good[good.length / 2] ^= 1;
    Files.write(checkpoint, good);
    assertTrue(refusal(skd(), 4, "seed 1").contains("damaged"));
  }

  @Test
  void aDeviceThatIsNotThereIsRefusedBeforeAnything() {
    assumeFalse(torch.cuda_is_available());
    refused(
        "device cuda: LibTorch finds no CUDA here; it needs an NVIDIA driver and the GPU build of"
            + " the presets (docs/gpu.md)",
        () -> distiller(skd(), 0).withDevice(new Device("cuda")));
    assertThrows(
        IllegalArgumentException.class, () -> distiller(skd(), 0).withDevice(new Device("meta")));
  }

  /** LibTorch's own text, wherever in a training it comes from, is told in a sentence. */
  @Test
  void aTermThatLibTorchRefusesEndsInASentence() {
    Loss refused = inputs -> inputs.student("logits").matmul(torch.ones(2, 3)).sum();
    Objective objective = Objective.of(new WeightedTerm("product", 1, refused));
    RuntimeException e =
        assertThrows(StructkdException.class, () -> distiller(objective, 0).train(net(4, 1)));
    assertTrue(e.getMessage().startsWith("term \"product\": "), e.getMessage());
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertEquals(1, e.getCause().getMessage().lines().count(), e.getCause().getMessage());
  }

  @Test
  void aStudentThatWasClosedIsToldInASentence() {
    SegmentationNet closed = net(4, 1);
    closed.module().close();
    refused(
        StructkdException.class,
        "a tensor, module or other native object has been closed, or its PointerScope has ended",
        () -> distiller(skd(), 0).train(closed));
  }

  @Test
  void listenersAreToldTheRateThatTheStepHad() throws IOException {
    Schedule schedule = new Schedule.Poly(0.9, 3);
    List<Double> told = new ArrayList<>();
    List<Double> moved = new ArrayList<>();
    SegmentationNet student = net(4, 1);
    Tensor parameter = student.module().parameters().get(0);
    Tensor[] before = {parameter.detach().clone()};
    distiller(Objectives.supervised(), 0)
        .withListener(
            new TrainingListener() {
              @Override
              public void onStep(StepLoss loss, double learningRate) {
                told.add(learningRate);
                moved.add(parameter.detach().sub(before[0]).abs().max().item_double());
                before[0].copy_(parameter.detach());
              }
            })
        .train(student);
    for (int step = 0; step < STEPS; step++) {
      assertEquals(0.01 * schedule.at(step, STEPS), told.get(step), "step " + step);
    }
    // Adam's first step moves a parameter by the rate, whatever the gradient.
    assertEquals(told.get(0), moved.get(0), 1e-3 * told.get(0));
  }

  @Test
  void aStepLeavesNoNativeObjects() throws IOException {
    List<Long> objects = new ArrayList<>();
    SegmentationNet student = net(4, 1);
    distiller(skd(), 0)
        .withListener(onStep(loss -> objects.add(Pointer.totalCount())))
        .train(student);
    // The first step may make what stays. Java's collector may free some of others meanwhile.
    long grown = objects.get(STEPS - 1) - objects.get(1);
    assertTrue(grown <= 0, "native objects after each step: " + objects);
  }
}
