package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.data.BatchSource;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightSchedule;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.Evaluations;
import org.structkd.testing.InScope;
import org.structkd.testing.Objectives;

/** What can be known before the first step is said before it, and leaves nothing behind. */
@InScope(threads = 1)
class BeforeTheFirstStepTest {
  private static final int STEPS = 6;
  private static final FashionScenes SCENES = FashionScenes.bundled();
  private static final BatchSource NONE =
      step -> {
        throw new AssertionError("no batch is needed before the settings are checked");
      };

  @TempDir private Path folder;

  private static Distiller distiller(long evaluateEvery, long checkpointEvery) {
    return distiller(evaluateEvery, checkpointEvery, Objectives.supervised());
  }

  private static Distiller distiller(
      long evaluateEvery, long checkpointEvery, Objective objective) {
    return new Distiller(
            TrainingConfig.of(STEPS, 0.01)
                .withEvaluateEvery(evaluateEvery)
                .withCheckpointEvery(checkpointEvery),
            objective,
            NONE)
        .withListener(
            new TrainingListener() {
              @Override
              public void onStart(long firstStep, long steps) {
                throw new AssertionError("training has begun");
              }
            });
  }

  private void refused(Distiller distiller, Class<? extends Exception> kind, String... parts)
      throws IOException {
    Exception error = assertThrows(kind, () -> distiller.train(net(2, 1)));
    for (String part : parts) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(List.of(), left.map(Path::getFileName).map(Path::toString).toList());
    }
  }

  @Test
  void aCheckpointThatCannotBeWritten() throws IOException {
    Path file = folder.resolve("none/student.checkpoint");
    refused(
        distiller(0, 2).withCheckpoint(file),
        IOException.class,
        file.toString(),
        "its folder does not exist");
  }

  @Test
  void aCheckpointThatIsAFolder() throws IOException {
    Path other = Files.createTempDirectory("structkd");
    try {
      IOException error =
          assertThrows(
              IOException.class, () -> distiller(0, 0).withCheckpoint(other).train(net(2, 1)));
      assertTrue(error.getMessage().contains(other.toString()), error.getMessage());
    } finally {
      Files.delete(other);
    }
  }

  @Test
  void anEvaluationOfATapThatIsNotThere() throws IOException {
    refused(
        distiller(2, 0).withEvaluation(Evaluations.of(SCENES, Split.VALIDATION, 5, "masks")),
        IllegalArgumentException.class,
        "no tap \"masks\", it has: features, logits, upsampled");
  }

  @Test
  void anEvaluationOfATapOfAnotherSize() throws IOException {
    refused(
        distiller(2, 0).withEvaluation(Evaluations.of(SCENES, Split.VALIDATION, 5, "features")),
        IllegalArgumentException.class,
        "tap \"features\" is [1, ",
        "expected [1, 11, 48, 48]");
  }

  @Test
  void intervalsOfNothing() throws IOException {
    refused(
        distiller(2, 0), IllegalArgumentException.class, "evaluateEvery is 2", "withEvaluation");
    refused(distiller(0, 3), IllegalArgumentException.class, "checkpointEvery is 3");
    refused(
        distiller(0, 0).withEvaluation(Evaluations.of(SCENES, Split.VALIDATION, 5, "upsampled")),
        IllegalArgumentException.class,
        "evaluateEvery is 0",
        "would never run");
  }

  @Test
  void aWeightThatBecomesImpossibleLater() throws IOException {
    WeightSchedule falling = step -> 1 - step / 3.0;
    refused(
        distiller(
            0,
            0,
            Objective.of(
                new WeightedTerm(
                    "supervised", falling, Term.of(new CrossEntropyLoss(-1), "upsampled")))),
        IllegalArgumentException.class,
        "supervised",
        "at step 3");
  }

  @Test
  void aTrainingUntilItIsStoppedMayHaveAllSteps() throws IOException {
    StopSignal stop = new StopSignal();
    stop.request();
    TrainingOutcome outcome =
        new Distiller(TrainingConfig.of(Long.MAX_VALUE, 0.01), Objectives.supervised(), NONE)
            .withCheckpoint(folder.resolve("student.checkpoint"))
            .withStop(stop)
            .train(net(2, 1));
    assertEquals(0, outcome.stepsDone());
  }

  @Test
  void nullIsRefusedWhereItIsGiven() {
    Distiller distiller = distiller(0, 0);
    assertNull("network", () -> distiller.withTeacher(null));
    assertNull("file", () -> distiller.withCheckpoint(null));
    assertNull("text", () -> distiller.withDescription(null));
    assertNull("what", () -> distiller.withEvaluation(null));
    assertNull("listener", () -> distiller.withListener(null));
    assertNull("signal", () -> distiller.withStop(null));
    assertNull("where", () -> distiller.withDevice(null));
    assertNull("student", () -> distiller.train(null));
  }

  private static void assertNull(String argument, Executable call) {
    assertEquals(argument, assertThrows(NullPointerException.class, call).getMessage());
  }

  @Test
  void aLongDescriptionIsSavedAndCompared() throws IOException {
    String text = "x".repeat(70_000);
    Path file = folder.resolve("student.checkpoint");
    new Distiller(TrainingConfig.of(2, 0.01), Objectives.supervised(), SceneBatches.of(SCENES, 2))
        .withCheckpoint(file)
        .withDescription(text)
        .train(net(2, 1));
    IOException error =
        assertThrows(
            IOException.class,
            () ->
                new Distiller(
                        TrainingConfig.of(2, 0.01),
                        Objectives.supervised(),
                        SceneBatches.of(SCENES, 2))
                    .withCheckpoint(file)
                    .withDescription(text + "y")
                    .train(net(2, 1)));
    assertTrue(error.getMessage().contains("(70001 characters, hash"), error.getMessage());
    assertTrue(error.getMessage().contains("(70000 characters, hash"), error.getMessage());
    assertTrue(error.getMessage().length() < 2000, "too long to read");
  }
}
