package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;
import static org.structkd.testing.SmallTrainings.onStep;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.BatchSource;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.loss.Loss;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.Evaluations;
import org.structkd.testing.ForwardingNetwork;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;

/** Whatever ends a training: its cause is told, and what is whole is saved. */
@InScope
class TrainingEndsTest {
  private static final int STEPS = 10;

  /** Step at which things go wrong. */
  private static final int AT = 5;

  private static final FashionScenes SCENES = FashionScenes.bundled();
  private static final BatchSource BATCHES = SceneBatches.of(SCENES, 2);

  @TempDir private Path folder;
  private Path checkpoint;
  private Path csv;

  @BeforeEach
  void open() {
    torch.set_num_threads(1);
    checkpoint = folder.resolve("student.checkpoint");
    csv = folder.resolve("metrics.csv");
  }

  private static TrainingConfig config(long evaluateEvery) {
    return TrainingConfig.of(STEPS, 0.01).withEvaluateEvery(evaluateEvery);
  }

  private static DatasetEvaluation evaluation() {
    return Evaluations.of(SCENES, Split.VALIDATION, 2, SegmentationNet.UPSAMPLED);
  }

  private Distiller distiller(Objective objective, BatchSource batches) {
    return new Distiller(config(0), objective, batches).withCheckpoint(checkpoint);
  }

  private Distiller distiller(BatchSource batches) {
    return distiller(Objectives.supervised(), batches);
  }

  /** What a listener may be told of an end. */
  private static final class Ends implements TrainingListener {
    private final List<String> events = new ArrayList<>();
    private Throwable cause;

    @Override
    public void onStart(long firstStep, long steps) {
      events.add("start " + firstStep);
    }

    @Override
    public void onCheckpoint(long stepsDone, Path file) {
      events.add("checkpoint " + stepsDone);
    }

    @Override
    public void onFailure(long stepsDone, Throwable why) {
      events.add("failure " + stepsDone);
      cause = why;
    }

    @Override
    public void onEnd(TrainingOutcome outcome) {
      events.add("end " + outcome.stepsDone());
    }
  }

  /** The rest of the training ends with the bits of one that nothing disturbed. */
  private void requireRestIsExact(int stepsDone) throws IOException {
    SegmentationNet whole = net(2, 1);
    new Distiller(config(0), Objectives.supervised(), BATCHES).train(whole);
    SegmentationNet rest = net(2, 1);
    Ends ends = new Ends();
    distiller(BATCHES).withListener(ends).train(rest);
    assertEquals(List.of("start " + stepsDone, "checkpoint " + STEPS, "end " + STEPS), ends.events);
    assertArrayEquals(bytes(whole), bytes(rest));
  }

  @Test
  void anErrorInTheSourceIsToldAndTheStepsBeforeAreSaved() throws IOException {
    Error error = new NoClassDefFoundError("Decoder");
    BatchSource failing =
        step -> {
          if (step == AT) {
            throw error;
          }
          return BATCHES.prepare(step);
        };
    Ends ends = new Ends();
    IllegalStateException told =
        assertThrows(
            IllegalStateException.class,
            () -> distiller(failing).withListener(ends).train(net(2, 1)));
    assertSame(error, told.getCause());
    assertSame(told, ends.cause);
    assertTrue(told.getMessage().contains("no batch for step 5"), told.getMessage());
    assertTrue(told.getMessage().contains("Decoder"), told.getMessage());
    assertEquals(List.of("start 0", "checkpoint 5", "failure 5"), ends.events);
    requireRestIsExact(AT);
  }

  @Test
  void anErrorInAListenerIsToldToTheOthersAndTheStepIsSaved() throws IOException {
    Error error = new AssertionError("full");
    TrainingListener failing =
        atStep(
            AT,
            () -> {
              throw error;
            });
    List<Long> steps = new ArrayList<>();
    TrainingListener after = onStep(loss -> steps.add(loss.step()));
    Ends ends = new Ends();
    Error told =
        assertThrows(
            AssertionError.class,
            () ->
                distiller(BATCHES)
                    .withListener(failing)
                    .withListener(after)
                    .withListener(ends)
                    .train(net(2, 1)));
    assertSame(error, told);
    assertEquals(List.of(0L, 1L, 2L, 3L, 4L, 5L), steps);
    assertEquals(List.of("start 0", "checkpoint 6", "failure 6"), ends.events);
    requireRestIsExact(AT + 1);
  }

  @Test
  void aListenerThatFailsAtEveryEventHidesNoCause() {
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public void onStep(StepLoss loss, double learningRate) {
            throw new IllegalStateException("step");
          }

          @Override
          public void onCheckpoint(long stepsDone, Path file) {
            throw new IllegalStateException("checkpoint");
          }

          @Override
          public void onFailure(long stepsDone, Throwable cause) {
            throw new IllegalStateException("failure");
          }
        };
    IllegalStateException told =
        assertThrows(
            IllegalStateException.class,
            () -> distiller(BATCHES).withListener(failing).train(net(2, 1)));
    assertEquals("step", told.getMessage());
    assertEquals("checkpoint", told.getSuppressed()[0].getMessage());
    assertEquals("failure", told.getSuppressed()[1].getMessage());
    assertTrue(Files.exists(checkpoint));
  }

  @Test
  void aListenerMayThrowTheSameErrorEachTime() {
    Error error = new AssertionError("always");
    TrainingListener failing =
        new TrainingListener() {
          @Override
          public void onStep(StepLoss loss, double learningRate) {
            throw error;
          }

          @Override
          public void onFailure(long stepsDone, Throwable cause) {
            throw error;
          }
        };
    Error told =
        assertThrows(
            AssertionError.class, () -> distiller(BATCHES).withListener(failing).train(net(2, 1)));
    assertSame(error, told);
  }

  @Test
  void anErrorInTheTeacherIsToldAndTheStepsBeforeAreSaved() throws IOException {
    Error error = new OutOfMemoryError("teacher");
    int[] calls = {0};
    Distiller distiller =
        distiller(BATCHES)
            .withTeacher(
                new ForwardingNetwork(net(2, 1)) {
                  @Override
                  public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
                    calls[0]++;
                    if (calls[0] > AT + 1) { // the first is tried before the training
                      throw error;
                    }
                    return super.infer(inputs);
                  }
                });
    Ends ends = new Ends();
    assertSame(
        error,
        assertThrows(OutOfMemoryError.class, () -> distiller.withListener(ends).train(net(2, 1))));
    assertEquals(List.of("start 0", "checkpoint 5", "failure 5"), ends.events);
  }

  /** A student whose evaluation fails some time after its training began. */
  private static final class Forgetful extends ForwardingNetwork {
    private int evaluations;

    Forgetful(SegmentationNet net) {
      super(net);
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      evaluations++;
      if (evaluations == 4) { // two are tried before the training
        throw new OutOfMemoryError("evaluation");
      }
      return super.infer(inputs);
    }
  }

  @Test
  void anErrorInTheEvaluationIsToldAndItIsMadeUpForLater() throws IOException {
    List<Long> wanted = new ArrayList<>();
    List<Long> evaluated = new ArrayList<>();
    new Distiller(config(2), Objectives.supervised(), BATCHES)
        .withEvaluation(evaluation())
        .withListener(evaluations(wanted))
        .train(net(2, 1));
    refused(
        OutOfMemoryError.class,
        "evaluation",
        () ->
            new Distiller(config(2), Objectives.supervised(), BATCHES)
                .withEvaluation(evaluation())
                .withCheckpoint(checkpoint)
                .withListener(evaluations(evaluated))
                .train(new Forgetful(net(2, 1))));
    assertEquals(List.of(2L), evaluated);
    new Distiller(config(2), Objectives.supervised(), BATCHES)
        .withEvaluation(evaluation())
        .withCheckpoint(checkpoint)
        .withListener(evaluations(evaluated))
        .train(net(2, 1));
    assertEquals(wanted, evaluated);
  }

  private static TrainingListener evaluations(List<Long> at) {
    return new TrainingListener() {
      @Override
      public void onEvaluation(long stepsDone, Score score, int sinceBest) {
        at.add(stepsDone);
      }
    };
  }

  /** From a step on a term has a sparse gradient, which LibTorch's Adam refuses. */
  private static Objective sparseFrom(int step, Tensor table) {
    Loss term =
        inputs -> {
          Tensor loss = inputs.student(SegmentationNet.LOGITS).square().mean();
          if (inputs.step() < step) {
            return loss;
          }
          Tensor index = torch.zeros(1).to(torch.ScalarType.Long);
          return loss.add(torch.embedding(table, index, -1, false, true).sum());
        };
    return Objective.of(new WeightedTerm("sparse", 1, term));
  }

  @Test
  void anErrorInTheOptimizerIsToldAndTheLastWholeStateStays() throws IOException {
    SegmentationNet student = net(2, 1);
    Tensor table = student.module().register_parameter("table", torch.ones(3, 2));
    Ends ends = new Ends();
    RuntimeException told =
        assertThrows(
            RuntimeException.class,
            () ->
                new Distiller(
                        TrainingConfig.of(STEPS, 0.01).withCheckpointEvery(2),
                        sparseFrom(AT, table),
                        BATCHES)
                    .withCheckpoint(checkpoint)
                    .withListener(ends)
                    .train(student));
    assertTrue(told.getMessage().contains("sparse gradients"), told.getMessage());
    assertSame(told, ends.cause);
    assertEquals(List.of("start 0", "checkpoint 2", "checkpoint 4", "failure 5"), ends.events);
  }

  @Test
  void interruptedItSavesAndSaysSo() throws Exception {
    CountDownLatch reached = new CountDownLatch(1);
    AtomicReference<Throwable> told = new AtomicReference<>();
    AtomicReference<Boolean> flag = new AtomicReference<>();
    TrainingListener waiting =
        atStep(
            AT,
            () -> {
              reached.countDown();
              while (!Thread.currentThread().isInterrupted()) {
                Thread.onSpinWait();
              }
            });
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try {
      MetricsCsv metrics = MetricsCsv.open(csv, "miou", Objectives.supervised());
      Future<?> future =
          pool.submit(
              () -> {
                torch.set_num_threads(1);
                try {
                  distiller(BATCHES)
                      .withListener(waiting)
                      .withListener(metrics.listener("student"))
                      .train(net(2, 1));
                } catch (Throwable e) {
                  told.set(e);
                  flag.set(Thread.currentThread().isInterrupted());
                }
                return null;
              });
      assertTrue(reached.await(60, TimeUnit.SECONDS));
      assertTrue(future.cancel(true));
      assertThrows(CancellationException.class, future::get);
    } finally {
      pool.shutdown();
      assertTrue(pool.awaitTermination(60, TimeUnit.SECONDS));
    }
    assertSame(TrainingInterruptedException.class, told.get().getClass(), String.valueOf(told));
    assertTrue(flag.get(), "the flag stays set");
    String said = told.get().getMessage();
    assertTrue(said.contains("after 6 of 10 steps; it continues from " + checkpoint), said);
    requireRestIsExact(AT + 1);
  }

  @Test
  void interruptedWhileTheSourceBlocksItSaves() throws Exception {
    Thread trainer = Thread.currentThread();
    CountDownLatch never = new CountDownLatch(1);
    BatchSource blocking =
        step -> {
          if (step == AT) {
            trainer.interrupt();
            never.await();
          }
          return BATCHES.prepare(step);
        };
    TrainingInterruptedException told =
        assertThrows(
            TrainingInterruptedException.class, () -> distiller(blocking).train(net(2, 1)));
    assertTrue(Thread.interrupted(), "the flag stays set");
    assertTrue(told.getMessage().contains("after "), told.getMessage());
    assertTrue(Files.exists(checkpoint));
  }

  @Test
  void interruptedBeforeItBeginsItWritesNothing() {
    Thread.currentThread().interrupt();
    TrainingInterruptedException told =
        assertThrows(TrainingInterruptedException.class, () -> distiller(BATCHES).train(net(2, 1)));
    assertTrue(Thread.interrupted(), "the flag stays set");
    assertTrue(told.getMessage().contains("before its first step"), told.getMessage());
    assertFalse(Files.exists(checkpoint));
  }

  @Test
  void interruptedInItsLastStepItIsCompleteAndSaved() throws IOException {
    TrainingListener last = atStep(STEPS - 1, () -> Thread.currentThread().interrupt());
    TrainingOutcome outcome = distiller(BATCHES).withListener(last).train(net(2, 1));
    assertTrue(Thread.interrupted(), "the flag stays set");
    assertTrue(outcome.complete());
    assertTrue(distiller(BATCHES).train(net(2, 1)).complete());
  }

  @Test
  void aStopSignalIsSeenWhileTheSourceBlocks() throws IOException {
    CountDownLatch never = new CountDownLatch(1);
    StopSignal stop = new StopSignal();
    BatchSource blocking =
        step -> {
          if (step == AT) {
            never.await();
          }
          return BATCHES.prepare(step);
        };
    TrainingListener stopping =
        atStep(
            AT - 1,
            () -> {
              new Thread(
                      () -> {
                        try {
                          Thread.sleep(100); // until the training waits
                        } catch (InterruptedException e) {
                          throw new AssertionError(e);
                        }
                        stop.request();
                      })
                  .start();
            });
    TrainingOutcome outcome =
        distiller(blocking).withStop(stop).withListener(stopping).train(net(2, 1));
    assertFalse(outcome.complete());
    assertEquals(AT, outcome.stepsDone());
    requireRestIsExact(AT);
  }
}
