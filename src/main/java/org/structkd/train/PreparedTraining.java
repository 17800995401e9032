package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Module;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;
import org.structkd.loss.TrainedPart;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Taps;

/**
 * One training that a {@link Distiller} was asked for, from its checks to its loop: nothing is
 * trained or written before all that can be known is checked.
 *
 * @param asked settings, which stay as they are while it trains
 * @param student to train
 * @param ranks who train it together
 */
record PreparedTraining(Distiller asked, TrainableNetwork student, Ranks ranks) {
  PreparedTraining(Distiller asked, TrainableNetwork student) {
    this(
        asked,
        student,
        new Ranks(asked.group, asked.stop, TrainingStep.NUMBERS * asked.objective.terms().size()));
  }

  /** Trains, as {@link Distiller#train} says. */
  TrainingOutcome train() throws IOException {
    try {
      TrainingOutcome outcome = trained();
      ranks.agree(); // nobody returns before what the first rank writes is written
      return outcome;
    } catch (IOException | RuntimeException | Error e) {
      ranks.tell(e);
      throw e;
    }
  }

  private TrainingOutcome trained() throws IOException {
    requireUninterrupted();
    requireNetworks();
    requireCheckpoint();
    ranks.agree();
    try (PointerScope training = new PointerScope();
        FileClaim claim =
            asked.checkpoint == null || !ranks.isFirst()
                ? null
                : FileClaim.of(asked.checkpoint, Duration.ZERO)) {
      TrainingIdentity identity =
          asked.checkpoint == null && ranks.isAlone()
              ? null // nobody asks for it, and a teacher's fingerprint reads all its weights
              : identity();
      Map<String, CachedTeacher.Kept> kept = new LinkedHashMap<>();
      try (Players players = players(identity, kept);
          Teachers teachers =
              asked.teachers.opened(kept, asked.config.steps() * asked.config.accumulate())) {
        return trained(players, teachers, claim, identity);
      }
    } finally {
      student.module().eval();
    }
  }

  private TrainingOutcome trained(
      Players players,
      Teachers teachers,
      @Nullable FileClaim claim,
      @Nullable TrainingIdentity identity)
      throws IOException {
    players.prepare();
    TrainingStep update = new TrainingStep(players, teachers, asked.objective, asked.config, ranks);
    Checkpoint start = start(players, identity);
    if (start.stepsDone() > 0 && asked.resume != Resume.CHANGED) {
      update.hasMovedBefore();
    }
    long each = asked.config.accumulate();
    try (Prefetcher prefetcher =
        new Prefetcher(
            asked.batches.share(ranks.rank(), ranks.worldSize()),
            start.stepsDone() * each,
            asked.config.steps() * each,
            ranks.stop())) {
      return new TrainingLoop(
              asked.config,
              players,
              update,
              prefetcher,
              where(),
              ranks,
              asked.evaluation,
              listeners(),
              claim,
              identity,
              start)
          .run();
    }
  }

  /** Restores a checkpoint; without one all ranks begin with the weights of the first. */
  private Checkpoint start(Players players, @Nullable TrainingIdentity identity)
      throws IOException {
    if (ranks.isAlone()) {
      return continued(players, identity);
    }
    ranks.agree();
    boolean trains = !ranks.stop().isRequested(); // else a rank may have had no batch to look at
    if (trains) {
      Map<String, String> settings = identity.all();
      settings.put("steps between evaluations", Long.toString(asked.config.evaluateEvery()));
      ranks.requireSame(settings);
    }
    Checkpoint start = ranks.isFirst() ? continued(players, identity) : Checkpoint.NONE;
    ranks.agree();
    if (!trains) {
      return start.withStepsDone(ranks.ofFirst(start.stepsDone()));
    }
    if (ranks.isFirst()) {
      ranks.send(asked.checkpoint);
    } else {
      start = received(players, identity);
    }
    ranks.agree();
    for (Module module : players.modules().values()) {
      ranks.copyFromFirst(module);
    }
    return start;
  }

  private Checkpoint continued(Players players, @Nullable TrainingIdentity identity)
      throws IOException {
    if (asked.checkpoint == null) {
      return Checkpoint.NONE;
    }
    long steps = asked.config.steps();
    Checkpoint start =
        Checkpoint.continued(asked.checkpoint, identity, asked.resume, steps, players);
    if (start.stepsDone() < steps) {
      Checkpoint.tryToSave(asked.checkpoint, identity.properties(), players, start);
    }
    return start;
  }

  /** Continues from a copy of the first rank's checkpoint, whose disk this rank need not see. */
  private Checkpoint received(Players players, TrainingIdentity identity) throws IOException {
    Path folder = Files.createTempDirectory("structkd");
    Path copy = folder.resolve("checkpoint");
    try {
      ranks.receive(copy);
      return Checkpoint.continued(copy, identity, asked.resume, asked.config.steps(), players);
    } finally {
      Files.deleteIfExists(copy);
      Files.delete(folder);
    }
  }

  /** Listeners write, and so they hear of the first rank alone. */
  private Listeners listeners() {
    return new Listeners(ranks.isFirst() ? asked.listeners : List.of());
  }

  private TrainingIdentity identity() {
    TrainingIdentity identity =
        new TrainingIdentity(asked.config, asked.objective, asked.teachers, asked.description);
    asked.optimizers.forEach((term, own) -> identity.add("optimizer of " + term, own.toString()));
    asked.rateFactors.forEach(
        (beginning, factor) -> identity.add("rate factor of " + beginning, factor.toString()));
    identity.add("seed", Long.toString(asked.seed));
    return identity;
  }

  private Device where() {
    return asked.device == null ? new Device("cpu") : asked.device;
  }

  /** Checks as {@link Distiller#requireFit} says. */
  void requireFit() throws IOException {
    requireUninterrupted();
    try (PointerScope temporaries = new PointerScope()) {
      requireNetworks();
      Map<String, CachedTeacher.Kept> kept = new LinkedHashMap<>();
      players(null, kept).close();
      asked.teachers.requireCaches(kept);
    }
  }

  private static void requireUninterrupted() {
    if (Thread.currentThread().isInterrupted()) {
      throw interruptedBefore();
    }
  }

  private static TrainingInterruptedException interruptedBefore() {
    return new TrainingInterruptedException("before its first step; no file has changed");
  }

  private void requireNetworks() {
    asked.objective.requireTaps(new Taps(student.taps(), asked.teachers.taps()));
    asked.objective.requireWeights(0, asked.config.steps());
    requirePrecision();
    if (asked.config.recomputeActivations() && !student.hasStages()) {
      throw new IllegalArgumentException(
          "recomputeActivations is true, but the student has no stages to compute again");
    }
    if (asked.config.evaluateEvery() > 0 != (asked.evaluation != null)) {
      throw new IllegalArgumentException(
          "evaluateEvery is "
              + asked.config.evaluateEvery()
              + (asked.evaluation == null
                  ? " but there is no evaluation: call withEvaluation, or set it to 0"
                  : " but there is an evaluation, which would never run: set it to 1 or more"));
    }
    if (asked.evaluation != null) {
      try (PointerScope temporaries = new PointerScope()) {
        asked.evaluation.requireFit(student, where());
      }
    }
  }

  private void requirePrecision() {
    if (asked.config.precision() != Precision.F32) {
      boolean isStudent = student.isQuantized();
      if (isStudent || asked.teachers.areQuantized()) {
        throw new IllegalArgumentException(
            "precision is %s, but %s is quantised, expected f32: bf16 cannot tell the products of"
                    .formatted(
                        Words.of(asked.config.precision()), isStudent ? "the student" : "a teacher")
                + " 8-bit numbers");
      }
    }
  }

  private void requireCheckpoint() throws IOException {
    if (asked.config.checkpointEvery() > 0 && asked.checkpoint == null) {
      throw new IllegalArgumentException(
          "checkpointEvery is "
              + asked.config.checkpointEvery()
              + " but there is no checkpoint file: call withCheckpoint, or set it to 0");
    }
    if (asked.checkpoint != null && Files.isDirectory(asked.checkpoint)) {
      throw new DataFileException(
          asked.checkpoint.toString(), "a file for checkpoints", "a folder");
    }
  }

  /**
   * Tries the first batch; the student alone if the training shall stop before there is one.
   *
   * @param kept gets what the caches of teachers will keep
   */
  private Players players(
      @Nullable TrainingIdentity identity, Map<String, CachedTeacher.Kept> kept) {
    try (PointerScope temporaries = new PointerScope();
        Prefetcher first = new Prefetcher(asked.batches, 0, 1, ranks.stop())) {
      Batch batch = first.take(0);
      if (batch == null) {
        return new Players(student, Map.of(), asked.config, Map.of(), Map.of());
      }
      if (identity != null) {
        identity.add(batch);
      }
      Batch own = batch.share(ranks.rank(), ranks.worldSize()).to(where());
      kept.putAll(asked.teachers.kept(asked.objective, own, asked.config.precision()));
      Map<String, TrainedPart> parts =
          DryRun.of(
              student, asked.teachers, asked.objective, asked.config.precision(), own, asked.seed);
      return new Players(student, parts, asked.config, asked.optimizers, asked.rateFactors);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw interruptedBefore();
    }
  }
}
