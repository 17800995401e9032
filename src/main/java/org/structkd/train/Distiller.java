package org.structkd.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.DataFileException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Scopes;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.Taps;

/**
 * Trains a student by an objective, with or without a teacher.
 *
 * <pre>{@code
 * TrainingOutcome outcome =
 *     new Distiller(config, objective, BatchSource.of(SceneBatches.of(scenes, 16)))
 *         .withTeacher(BundledTeacher.load())
 *         .withCheckpoint(Path.of("student.checkpoint"))
 *         .withListener(progress)
 *         .train(student);
 * }</pre>
 *
 * <ul>
 *   <li><b>Step:</b> the batch of this step, prepared on another thread; student and teacher;
 *       objective; backward; Adam with the rate of this step.
 *   <li><b>Checkpoints:</b> written aside, forced to the disk and renamed. If the file exists,
 *       training continues from it, and ends with the same bits as if it had never stopped, on the
 *       same kind of machine with the same number of threads (a warning tells of another one).
 *   <li><b>Ends:</b> by its last step, a {@link StopSignal}, an interrupt of its thread, or
 *       whatever is thrown. The state after the last whole step is saved each time.
 *   <li><b>NaN:</b> a term or a gradient that is not finite ends the training by a {@link
 *       DivergedException} before anything is learned from it: weights and buffers are those before
 *       the step.
 *   <li><b>Frozen parts:</b> a submodule that is in evaluation mode and whose parameters require no
 *       gradient stays as it is; all others train.
 *   <li><b>Memory:</b> temporaries of a step are released with it.
 *   <li><b>Threads:</b> one training at a time per instance; LibTorch's number of threads is that
 *       of the calling thread ({@code torch.set_num_threads}).
 * </ul>
 */
public final class Distiller {
  private final TrainingConfig config;
  private final Objective objective;
  private final BatchSource batches;
  private final List<TrainingListener> listeners = new ArrayList<>();
  private @Nullable TappedNetwork teacher;
  private @Nullable Path checkpoint;
  private @Nullable Evaluation evaluation;
  private @Nullable Device device;
  private String description = "";
  private StopSignal stop = new StopSignal();
  private Resume resume = Resume.SAME;

  /**
   * A training without teacher, checkpoint, listeners and evaluation, on the CPU.
   *
   * @param config how long
   * @param objective what to minimise
   * @param batches what to learn from
   */
  public Distiller(TrainingConfig config, Objective objective, BatchSource batches) {
    this.config = Objects.requireNonNull(config, "config");
    this.objective = Objects.requireNonNull(objective, "objective");
    this.batches = Objects.requireNonNull(batches, "batches");
  }

  /**
   * Sets the teacher, whose outputs the objective reads.
   *
   * @param network on the same device as the student
   * @return this
   */
  public Distiller withTeacher(TappedNetwork network) {
    teacher = Objects.requireNonNull(network, "network");
    return this;
  }

  /**
   * Saves checkpoints, and continues from the file if it is there.
   *
   * @param file where; its folder must exist
   * @return this
   */
  public Distiller withCheckpoint(Path file) {
    checkpoint = Objects.requireNonNull(file, "file");
    return this;
  }

  /**
   * Says what else the training depends on, such as seeds: a checkpoint of another description is
   * refused. A checkpoint knows anyway steps, learning rate, losses with their settings ({@link
   * org.structkd.objective.Term}), weights, the teacher ({@link TappedNetwork#fingerprint}), and
   * shape and look of the first batch.
   *
   * @param text any text
   * @return this
   */
  public Distiller withDescription(String text) {
    description = Objects.requireNonNull(text, "text");
    return this;
  }

  /**
   * Evaluates on the way, every {@link TrainingConfig#evaluateEvery} steps, which must be 1 or more
   * then.
   *
   * @param what how to evaluate
   * @return this
   */
  public Distiller withEvaluation(Evaluation what) {
    evaluation = Objects.requireNonNull(what, "what");
    return this;
  }

  /**
   * Adds a listener.
   *
   * @param listener told after those added before
   * @return this
   */
  public Distiller withListener(TrainingListener listener) {
    listeners.add(Objects.requireNonNull(listener, "listener"));
    return this;
  }

  /**
   * Sets the signal that ends a training early.
   *
   * @param signal which; a listener may give it
   * @return this
   */
  public Distiller withStop(StopSignal signal) {
    stop = Objects.requireNonNull(signal, "signal");
    return this;
  }

  /**
   * Trains on a device.
   *
   * @param where student and teacher are
   * @return this
   * @throws IllegalArgumentException if LibTorch has no such device here
   */
  public Distiller withDevice(Device where) {
    device = Scopes.kept(new Device(Devices.present(Objects.requireNonNull(where, "where"))));
    return this;
  }

  /**
   * Says what may differ from the checkpoint that is continued. Without it nothing may.
   *
   * @param allowed what
   * @return this
   */
  public Distiller withResume(Resume allowed) {
    resume = Objects.requireNonNull(allowed, "allowed");
    return this;
  }

  /**
   * {@return whether a file is the checkpoint of a training, which holds more than weights}
   *
   * @param file any file of tensors
   */
  public static boolean isCheckpoint(TensorFile file) {
    return Checkpoint.isOne(file);
  }

  /**
   * Trains, or continues to. The student is left in evaluation mode.
   *
   * <p>What can be known is checked before the first step: taps, weights of all steps, the
   * evaluation, whether a checkpoint can be written. What ends a training later is thrown as it
   * came, whether out of a term, a listener, the evaluation or the optimizer, and Errors alike;
   * what a batch source throws is the cause of an IllegalStateException that names the step. Where
   * the state between two steps is whole, it is saved before.
   *
   * @param student to train
   * @return how it ended
   * @throws IllegalArgumentException if a network lacks a tap that a term or the evaluation reads,
   *     a weight is impossible at some step, an interval has nothing to do, a term refuses what it
   *     gets, or the first step moves no weight
   * @throws DataFileException if the checkpoint is damaged or belongs to something else
   * @throws IOException if a checkpoint cannot be read or written, or another training writes it
   * @throws DivergedException if a term or its gradient is not finite; says which, in what step and
   *     image
   * @throws TrainingInterruptedException if this thread is interrupted; its flag stays set
   * @throws IllegalStateException if there is no batch for a step, with the cause
   */
  public TrainingOutcome train(TrainableNetwork student) throws IOException {
    Objects.requireNonNull(student, "student");
    try {
      return trained(student);
    } catch (RuntimeException e) {
      throw NativeCall.translate(e); // LibTorch's texts, wherever in the training they come from
    }
  }

  private TrainingOutcome trained(TrainableNetwork student) throws IOException {
    requireUninterrupted();
    requireSettings(student);
    try (PointerScope training = new PointerScope();
        FileClaim claim = checkpoint == null ? null : FileClaim.of(checkpoint, Duration.ZERO)) {
      Device where = where();
      TrainingIdentity identity =
          checkpoint == null
              ? null // nobody asks for it, and a teacher's fingerprint reads all its weights
              : new TrainingIdentity(config, objective, teacher, description);
      AdamOptimizer optimizer = new AdamOptimizer(student.module());
      TrainingStep update = new TrainingStep(student, teacher, objective, optimizer);
      Checkpoint start = restored(student, optimizer, identity);
      if (start.stepsDone() > 0 && resume != Resume.CHANGED) {
        update.hasMovedBefore();
      }
      try (Prefetcher prefetcher =
          new Prefetcher(batches, start.stepsDone(), config.steps(), stop)) {
        return new TrainingLoop(
                config,
                student,
                optimizer,
                update,
                prefetcher,
                where,
                stop,
                evaluation,
                new Listeners(listeners),
                claim,
                identity,
                start)
            .run();
      }
    } finally {
      student.module().eval();
    }
  }

  private Device where() {
    return device == null ? new Device("cpu") : device;
  }

  private static void requireUninterrupted() {
    if (Thread.currentThread().isInterrupted()) {
      throw new TrainingInterruptedException("before its first step; no file has changed");
    }
  }

  private void requireSettings(TrainableNetwork student) {
    Set<String> teacherTaps = teacher == null ? Set.of() : teacher.taps();
    objective.requireTaps(new Taps(student.taps(), teacherTaps));
    objective.requireWeights(0, config.steps());
    if (config.evaluateEvery() > 0 != (evaluation != null)) {
      throw new IllegalArgumentException(
          "evaluateEvery is "
              + config.evaluateEvery()
              + (evaluation == null
                  ? " but there is no evaluation: call withEvaluation, or set it to 0"
                  : " but there is an evaluation, which would never run: set it to 1 or more"));
    }
    if (config.checkpointEvery() > 0 && checkpoint == null) {
      throw new IllegalArgumentException(
          "checkpointEvery is "
              + config.checkpointEvery()
              + " but there is no checkpoint file: call withCheckpoint, or set it to 0");
    }
    if (evaluation != null) {
      try (PointerScope temporaries = new PointerScope()) {
        evaluation.requireFit(student, where());
      }
    }
  }

  /** Continues from the checkpoint if there is one, and makes sure that another can be written. */
  private Checkpoint restored(
      TrainableNetwork student, AdamOptimizer optimizer, @Nullable TrainingIdentity identity)
      throws IOException {
    if (checkpoint == null) {
      return Checkpoint.NONE;
    }
    if (Files.isDirectory(checkpoint)) {
      throw new DataFileException(checkpoint.toString(), "a file for checkpoints", "a folder");
    }
    if (Files.exists(checkpoint)) {
      lookAtData(identity);
    }
    Checkpoint start =
        Checkpoint.restore(
            checkpoint,
            (progress, stored) -> {
              identity.requireSame(checkpoint, stored, resume);
              requireStepsLeft(progress);
            },
            student.module(),
            optimizer);
    if (start.stepsDone() < config.steps()) {
      Checkpoint.tryToSave(checkpoint, identity.properties(), student.module(), optimizer, start);
    }
    return start;
  }

  private void requireStepsLeft(Checkpoint progress) throws DataFileException {
    if (progress.stepsDone() > config.steps()) {
      throw new DataFileException(
          String.valueOf(checkpoint),
          "at most " + config.steps() + " steps, as this training has",
          progress.stepsDone() + " steps done");
    }
  }

  /** Prepares the batch of step 0 once more, to compare it with that of the checkpoint. */
  private void lookAtData(TrainingIdentity identity) {
    try (PointerScope temporaries = new PointerScope();
        Prefetcher first = new Prefetcher(batches, 0, 1, stop)) {
      Batch batch = first.take(0);
      if (batch != null) {
        identity.add(batch);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      requireUninterrupted();
    }
  }
}
