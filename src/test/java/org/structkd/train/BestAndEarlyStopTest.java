package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.SmallTrainings.atStep;
import static org.structkd.testing.SmallTrainings.bytes;
import static org.structkd.testing.SmallTrainings.net;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.compress.Pruning;
import org.structkd.compress.Quantization;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.loss.CrossEntropyLoss;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.objective.Term;
import org.structkd.objective.WeightedTerm;
import org.structkd.testing.InRanks;
import org.structkd.testing.InScope;

/** Trainings that end when they get no better, and with their best weights. */
@InScope(threads = 1)
class BestAndEarlyStopTest {
  private static final SceneBatches BATCHES = SceneBatches.of(FashionScenes.bundled(), 2);

  /** The best is after step 2; two later ones are no better. */
  private static final double[] SCORES = {0.2, 0.5, 0.4, 0.5, 0.9, 0.1};

  private static final int ENDS_AFTER = 4;

  @TempDir private Path folder;

  private static TrainingConfig config() {
    return TrainingConfig.of(SCORES.length, 0.01)
        .withEvaluateEvery(1)
        .withEma(0.9)
        .withEarlyStop(new EarlyStop(2))
        .withKeepBest(true);
  }

  private static Distiller distiller(TrainingConfig config, double[] scores, Runnable evaluated) {
    return new Distiller(
            config,
            Objective.of(
                new WeightedTerm("supervised", 1, Term.of(new CrossEntropyLoss(-1), "upsampled"))),
            BATCHES)
        .withEvaluation(new Scripted(scores, evaluated));
  }

  @Test
  void aTrainingThatGetsNoBetterIsCompleteAndHasTheWeightsOfItsBestEvaluation() throws IOException {
    SegmentationNet student = net(2, 1);
    List<byte[]> evaluated = new ArrayList<>();
    TrainingOutcome outcome =
        distiller(config(), SCORES, () -> evaluated.add(bytes(student))).train(student);
    assertEquals(ENDS_AFTER, outcome.stepsDone());
    assertTrue(outcome.complete());
    assertEquals(ENDS_AFTER, evaluated.size());
    assertArrayEquals(evaluated.get(1), bytes(student));
    assertFalse(Arrays.equals(evaluated.get(3), bytes(student)), "it went on learning");
  }

  @Test
  void aTrainingThatWasStoppedAnywhereEndsWithTheSameBits() throws IOException {
    SegmentationNet whole = net(2, 1);
    distiller(config(), SCORES, () -> {}).train(whole);
    for (int stopAt = 0; stopAt < ENDS_AFTER; stopAt++) {
      Path checkpoint = folder.resolve(stopAt + ".checkpoint");
      StopSignal stop = new StopSignal();
      TrainingOutcome stopped =
          distiller(config(), SCORES, () -> {})
              .withCheckpoint(checkpoint)
              .withStop(stop)
              .withListener(atStep(stopAt, stop::request))
              .train(net(2, 1));
      assertFalse(stopped.complete());
      for (int again = 0; again < 2; again++) { // the second time there is nothing to do
        SegmentationNet student = net(2, 9);
        double[] left = Arrays.copyOfRange(SCORES, stopAt + 1, SCORES.length);
        TrainingOutcome outcome =
            distiller(config(), left, () -> {}).withCheckpoint(checkpoint).train(student);
        assertEquals(ENDS_AFTER, outcome.stepsDone());
        assertTrue(outcome.complete());
        assertArrayEquals(bytes(whole), bytes(student), "stopped in step " + stopAt);
      }
    }
  }

  @Test
  void allRanksEndAfterTheSameStepWithTheWeightsOfTheFirst() throws Exception {
    Path checkpoint = folder.resolve("it.checkpoint");
    List<byte[]> evaluated = new ArrayList<>();
    for (int run = 0; run < 2; run++) {
      List<InRanks.Outcome<byte[]>> ranks =
          InRanks.of(
              2,
              group -> {
                SegmentationNet student = net(2, 1);
                TrainingOutcome outcome =
                    distiller(config(), SCORES, () -> evaluated.add(bytes(student)))
                        .withProcessGroup(group)
                        .withCheckpoint(checkpoint)
                        .train(student);
                assertEquals(ENDS_AFTER, outcome.stepsDone());
                assertTrue(outcome.complete());
                return bytes(student);
              });
      assertEquals(ENDS_AFTER, evaluated.size());
      assertArrayEquals(evaluated.get(1), ranks.get(0).orThrow());
      assertArrayEquals(evaluated.get(1), ranks.get(1).orThrow());
    }
  }

  @Test
  void anotherPatienceIsAnotherTraining() throws IOException {
    Path checkpoint = folder.resolve("it.checkpoint");
    distiller(config(), SCORES, () -> {}).withCheckpoint(checkpoint).train(net(2, 1));
    byte[] before = Files.readAllBytes(checkpoint);
    String said =
        assertThrows(
                IOException.class,
                () ->
                    distiller(config().withEarlyStop(new EarlyStop(3)), SCORES, () -> {})
                        .withCheckpoint(checkpoint)
                        .train(net(2, 1)))
            .getMessage();
    assertTrue(said.contains("patience=3") && said.contains("patience=2"), said);
    assertArrayEquals(before, Files.readAllBytes(checkpoint));
  }

  @Test
  void whatCannotBeComparedIsRefused() {
    assertRefused("patience is 0, expected 1 or more evaluations", () -> new EarlyStop(0));
    TrainingConfig plain = TrainingConfig.of(100, 0.01);
    for (long interval : new long[] {0, 101}) {
      TrainingConfig config = plain.withEvaluateEvery(interval);
      String sentence =
          "evaluateEvery is "
              + interval
              + ", expected 1 to 100, the steps of the training, with %s, which goes by"
              + " evaluations on the way";
      assertRefused(sentence.formatted("earlyStop"), () -> config.withEarlyStop(new EarlyStop(1)));
      assertRefused(sentence.formatted("keepBest"), () -> config.withKeepBest(true));
    }
    TrainingConfig best = plain.withEvaluateEvery(10).withKeepBest(true);
    assertTrue(best.withPruning(new Pruning.Kept()).keepBest());
    assertTrue(best.withQuantization(new Quantization.Int8(0)).keepBest());
    assertRefused(
        "keepBest is given, expected none where the training prunes, or quantises later than from"
            + " its first step on: its best evaluation may be of a network before that",
        () -> best.withQuantization(new Quantization.Int8(1)));
  }

  private static void assertRefused(String sentence, Runnable what) {
    assertEquals(sentence, assertThrows(IllegalArgumentException.class, what::run).getMessage());
  }
}
