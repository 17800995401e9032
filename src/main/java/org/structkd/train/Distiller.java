package org.structkd.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.data.DataFileException;
import org.structkd.data.SegmentationScore;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Scopes;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.objective.StepInputs;
import org.structkd.objective.StepLoss;
import org.structkd.objective.Taps;
import org.structkd.objective.WeightedTerm;

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
 *   <li><b>NaN:</b> a term that is not finite ends the training by a {@link DivergedException}
 *       before anything is learned from it; the last checkpoint stays.
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
    teacher = network;
    return this;
  }

  /**
   * Saves checkpoints, and continues from the file if it is there.
   *
   * @param file where; its folder must exist
   * @return this
   */
  public Distiller withCheckpoint(Path file) {
    checkpoint = file;
    return this;
  }

  /**
   * Says what else the training depends on, such as seeds and data: a checkpoint of another
   * description is refused. Steps, learning rate and the names of the terms are part of it anyway.
   *
   * @param text any text
   * @return this
   */
  public Distiller withDescription(String text) {
    description = text;
    return this;
  }

  /**
   * Evaluates on the way, every {@link TrainingConfig#evaluateEvery} steps.
   *
   * @param what how to evaluate
   * @return this
   */
  public Distiller withEvaluation(Evaluation what) {
    evaluation = what;
    return this;
  }

  /**
   * Adds a listener.
   *
   * @param listener told after those added before
   * @return this
   */
  public Distiller withListener(TrainingListener listener) {
    listeners.add(listener);
    return this;
  }

  /**
   * Sets the signal that ends a training early.
   *
   * @param signal which; a listener may give it
   * @return this
   */
  public Distiller withStop(StopSignal signal) {
    stop = signal;
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
    device = Scopes.kept(new Device(Devices.present(where)));
    return this;
  }

  /**
   * Trains, or continues to. The student is left in evaluation mode.
   *
   * @param student to train
   * @return how it ended
   * @throws IllegalArgumentException if a network lacks a tap that a term reads
   * @throws DataFileException if the checkpoint is damaged or belongs to something else
   * @throws IOException if a checkpoint cannot be read or written
   * @throws DivergedException if a term is not finite; says which, in what step and image
   */
  public TrainingOutcome train(TrainableNetwork student) throws IOException {
    try {
      return trained(student);
    } catch (RuntimeException e) {
      throw NativeCall.translate(e); // LibTorch's texts, wherever in the training they come from
    }
  }

  private TrainingOutcome trained(TrainableNetwork student) throws IOException {
    Set<String> teacherTaps = teacher == null ? Set.of() : teacher.taps();
    objective.requireTaps(new Taps(student.taps(), teacherTaps));
    try (PointerScope training = new PointerScope()) {
      Device where = device == null ? new Device("cpu") : device;
      AdamOptimizer optimizer = new AdamOptimizer(student.module());
      Checkpoint start =
          checkpoint == null
              ? new Checkpoint(0, 0)
              : Checkpoint.restore(checkpoint, training(), student.module(), optimizer);
      try (Prefetcher prefetcher = new Prefetcher(batches, start.stepsDone(), config.steps())) {
        return new Run(student, optimizer, where, prefetcher, start).run();
      }
    } finally {
      student.module().eval();
    }
  }

  private String training() {
    List<String> terms = objective.terms().stream().map(WeightedTerm::name).toList();
    return config.steps() + " steps, " + config.learningRate() + ", " + terms + ", " + description;
  }

  /** One call of {@link #train}. */
  private final class Run {
    private final TrainableNetwork student;
    private final AdamOptimizer optimizer;
    private final Device where;
    private final Prefetcher prefetcher;
    private long stepsDone;
    private long savedAt;
    private long stepNanos;

    Run(
        TrainableNetwork student,
        AdamOptimizer optimizer,
        Device where,
        Prefetcher prefetcher,
        Checkpoint start) {
      this.student = student;
      this.optimizer = optimizer;
      this.where = where;
      this.prefetcher = prefetcher;
      this.stepsDone = start.stepsDone();
      this.savedAt = stepsDone;
      this.stepNanos = start.stepNanos();
    }

    TrainingOutcome run() throws IOException {
      listeners.forEach(listener -> listener.onStart(stepsDone, config.steps()));
      student.module().train(true);
      while (stepsDone < config.steps() && !stop.isRequested()) {
        long start = System.nanoTime();
        step(start);
        if (isDue(config.evaluateEvery()) && evaluation != null) {
          SegmentationScore score = evaluation.of(student, where);
          listeners.forEach(listener -> listener.onEvaluation(stepsDone, score));
        }
        if (isDue(config.checkpointEvery())) {
          save();
        }
      }
      if (savedAt != stepsDone) {
        save();
      }
      TrainingOutcome outcome =
          new TrainingOutcome(
              stepsDone, stepsDone == config.steps(), stepNanos, prefetcher.waitedNanos());
      listeners.forEach(listener -> listener.onEnd(outcome));
      return outcome;
    }

    private boolean isDue(long interval) {
      return interval > 0 && stepsDone % interval == 0;
    }

    private void step(long start) {
      try (PointerScope temporaries = new PointerScope()) {
        Batch batch = nextBatch();
        Tensor images = Devices.moved(batch.images(), where);
        Tensor labels = Devices.moved(batch.labels(), where);
        Map<String, Tensor> teacherTaps = teacher == null ? Map.of() : teacher.infer(images);
        Map<String, Tensor> studentTaps = student.forward(images);
        StepLoss loss =
            objective.compute(new StepInputs(studentTaps, teacherTaps, labels, stepsDone));
        double rate = config.learningRate().at(stepsDone, config.steps());
        optimizer.zeroGrad();
        loss.total().backward();
        optimizer.step(rate);
        stepsDone++;
        stepNanos += System.nanoTime() - start;
        listeners.forEach(listener -> listener.onStep(loss, rate));
      }
    }

    private Batch nextBatch() {
      try {
        return prefetcher.take(stepsDone).tensors();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted at step " + stepsDone, e);
      }
    }

    private void save() throws IOException {
      savedAt = stepsDone;
      if (checkpoint == null) {
        return;
      }
      Checkpoint.save(
          checkpoint,
          training(),
          student.module(),
          optimizer,
          new Checkpoint(stepsDone, stepNanos));
      listeners.forEach(listener -> listener.onCheckpoint(stepsDone, checkpoint));
    }
  }
}
