package org.structkd.train;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.structkd.data.Batch;
import org.structkd.internal.NativeCall;
import org.structkd.metric.Evaluation;
import org.structkd.metric.Score;
import org.structkd.objective.SilentTerms;
import org.structkd.objective.StepLoss;

/**
 * The steps of one training, with what is due between them: evaluations, checkpoints, listeners.
 * Whatever ends it, the last whole state is saved.
 */
final class TrainingLoop {
  private static final Logger LOG = LoggerFactory.getLogger(Distiller.class);

  /**
   * First steps of a process that no time counts: in them the JVM compiles and LibTorch fills its
   * caches. After ten a step of {@code ./structkd distill} has its steady time.
   */
  private static final long WARM_UP_STEPS = 10;

  private final TrainingConfig config;
  private final Players players;
  private final TrainingStep update;
  private final Prefetcher prefetcher;
  private final Device where;
  private final Ranks ranks;
  private final @Nullable Evaluation evaluation;
  private final Listeners told;
  private final @Nullable FileClaim claim;
  private final @Nullable TrainingIdentity identity;
  private final SilentTerms silentTerms = new SilentTerms();
  private final long firstStep;
  private Checkpoint saved;
  private long stepsDone;
  private long timedSteps;
  private long stepNanos;
  private boolean evaluated;
  private double best;
  private int sinceBest;

  /**
   * A loop that goes on from {@code start}.
   *
   * @param claim of the checkpoint file; null without one, and where another rank writes it
   * @param identity what the checkpoint says of the training; null without a checkpoint
   */
  TrainingLoop(
      TrainingConfig config,
      Players players,
      TrainingStep update,
      Prefetcher prefetcher,
      Device where,
      Ranks ranks,
      @Nullable Evaluation evaluation,
      Listeners told,
      @Nullable FileClaim claim,
      @Nullable TrainingIdentity identity,
      Checkpoint start) {
    this.config = config;
    this.players = players;
    this.update = update;
    this.prefetcher = prefetcher;
    this.where = where;
    this.ranks = ranks;
    this.evaluation = evaluation;
    this.told = told;
    this.claim = claim;
    this.identity = identity;
    saved = start;
    firstStep = start.stepsDone();
    stepsDone = firstStep;
    timedSteps = start.timedSteps();
    stepNanos = start.stepNanos();
    evaluated = start.evaluated();
    best = players.lacksBest() ? Double.NaN : start.best(); // what is not there cannot be kept
    sinceBest = start.sinceBest();
  }

  TrainingOutcome run() throws IOException {
    try {
      if (stepsDone > 0) {
        told.onResume(stepsDone, sinceBest);
      }
      told.onStart(stepsDone, config.steps());
      update.warnings().forEach(this::warn);
      players.train();
      evaluateIfDue();
      while (stepsDone < config.steps() && !getsNoBetter() && !ranks.stop().isRequested()) {
        requireUninterrupted();
        step();
        evaluateIfDue();
        if (isDue(config.checkpointEvery())) {
          save();
        }
      }
      save();
      players.finish();
      if (config.keepBest()) {
        ranks.agree();
        ranks.copyFromFirst(players.student().module()); // which alone evaluates
      }
      boolean complete =
          stepsDone == config.steps() || getsNoBetter() && !ranks.stop().isRequested();
      TrainingOutcome outcome =
          new TrainingOutcome(stepsDone, complete, timedSteps, stepNanos, prefetcher.loading());
      told.onEnd(outcome);
      return outcome;
    } catch (RuntimeException e) {
      RuntimeException cause = NativeCall.translate(e);
      end(cause);
      throw cause;
    } catch (IOException | Error cause) {
      end(cause);
      throw cause;
    }
  }

  /** Saves what is whole, and tells; what fails here, too, goes along with the cause. */
  private void end(Throwable cause) {
    try {
      if (!update.isTorn()) {
        save();
      }
    } catch (Exception | Error e) {
      add(cause, e);
    }
    try {
      told.onFailure(stepsDone, cause);
    } catch (RuntimeException | Error e) {
      add(cause, e);
    }
  }

  private static void add(Throwable cause, Throwable another) {
    if (cause != another) { // a listener may throw the same one each time
      cause.addSuppressed(another);
    }
  }

  private void requireUninterrupted() throws IOException {
    if (Thread.currentThread().isInterrupted()) {
      save();
      throw new TrainingInterruptedException(
          "after "
              + stepsDone
              + " of "
              + config.steps()
              + " steps; "
              + (claim == null
                  ? "without a checkpoint file its state is lost"
                  : "it continues from " + claim.file()));
    }
  }

  /** The other ranks, which have the same weights, wait for the first at their next meeting. */
  private void evaluateIfDue() {
    if (evaluated || evaluation == null) {
      return;
    }
    if (ranks.isFirst()) {
      players.evaluate(evaluation, where, this::take);
    }
    evaluated = true;
    if (config.earlyStop() != null && !ranks.stop().isRequested()) {
      ranks.agree(); // the first may have failed
      sinceBest = (int) ranks.ofFirst(sinceBest);
    }
  }

  private boolean getsNoBetter() {
    return config.earlyStop() != null && sinceBest >= config.earlyStop().patience();
  }

  private void take(Score score) {
    if (score.isBetterThan(best) || Double.isNaN(best)) {
      players.keepBest();
      best = score.leading().value();
      sinceBest = 0;
    } else {
      sinceBest++;
    }
    evaluated = true;
    told.onEvaluation(stepsDone, score, sinceBest);
  }

  private boolean isDue(long interval) {
    return interval > 0 && stepsDone % interval == 0;
  }

  private void step() {
    long start = System.nanoTime();
    try (PointerScope temporaries = new PointerScope()) {
      List<Batch> batches = nextBatches();
      if (batches.isEmpty()) {
        return;
      }
      StepLoss loss = update.take(batches, stepsDone);
      stepsDone++;
      if (stepsDone - firstStep > WARM_UP_STEPS) {
        timedSteps++;
        stepNanos += System.nanoTime() - start;
      }
      evaluated = !isDue(config.evaluateEvery());
      told.onBatches(prefetcher.loading());
      told.onStep(loss, config.rateAt(loss.step()));
      silentTerms.after(loss).forEach(this::warn);
    }
  }

  private void warn(String sentence) {
    if (ranks.isFirst()) { // the same is true on all
      LOG.warn(sentence);
    }
    told.onWarning(sentence);
  }

  /** The batches of this step; none if the training shall stop, or its thread is interrupted. */
  private List<Batch> nextBatches() {
    List<Batch> batches = new ArrayList<>();
    try {
      for (int i = 0; i < config.accumulate(); i++) {
        Batch batch = prefetcher.take(stepsDone * config.accumulate() + i);
        if (batch == null) {
          return List.of();
        }
        batches.add(batch.to(where));
      }
      return batches;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }

  /** Saves the state unless it is saved. */
  private void save() throws IOException {
    if (claim == null || saved.stepsDone() == stepsDone && saved.evaluated() == evaluated) {
      return;
    }
    update.saveTeachers();
    saved = new Checkpoint(stepsDone, timedSteps, stepNanos, evaluated, best, sinceBest);
    Checkpoint.save(claim, identity.properties(), players, saved);
    told.onCheckpoint(stepsDone, claim.file());
  }
}
