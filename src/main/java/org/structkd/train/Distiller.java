package org.structkd.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.BatchSource;
import org.structkd.data.DataFileException;
import org.structkd.distributed.ProcessGroup;
import org.structkd.distributed.RankFailedException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Scopes;
import org.structkd.metric.Evaluation;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.optim.Optimizer;

/**
 * Trains a student by an objective, with or without teachers. It knows no task, no data set and no
 * network: these are the objective, the batches, the evaluation and the networks that it is given.
 *
 * <pre>{@code
 * TrainingOutcome outcome =
 *     new Distiller(TrainingConfig.of(1000, 0.01), objective, SceneBatches.of(scenes, 16))
 *         .withTeacher(BundledTeacher.load())
 *         .withCheckpoint(Path.of("student.checkpoint"))
 *         .withListener(progress)
 *         .train(student);
 * }</pre>
 *
 * <ul>
 *   <li><b>Step:</b> the batches of this step, prepared on another thread; student and teachers;
 *       objective; backward; the optimizer with the rate of this step. It reaches all who learn
 *       whole, or none at all.
 *   <li><b>Parts of losses</b> ({@link org.structkd.loss.TrainedPart}) are made before the first
 *       step, learn with the student by its optimizer or against it by their own, are kept in
 *       checkpoints as {@code part.TERM.NAME}, and closed at the end.
 *   <li><b>Checkpoints:</b> written aside, forced to the disk and renamed. If the file exists,
 *       training continues from it, and ends with the same bits as if it had never stopped, on the
 *       same kind of machine with the same number of threads (a warning tells of another one).
 *   <li><b>Ends:</b> by its last step, an {@link EarlyStop}, a {@link StopSignal}, an interrupt of
 *       its thread, or whatever is thrown. The state after the last whole step is saved each time.
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
  final TrainingConfig config;
  final Objective objective;
  final BatchSource batches;
  final List<TrainingListener> listeners = new ArrayList<>();
  final Teachers teachers = new Teachers();
  final Map<String, Optimizer> optimizers = new LinkedHashMap<>();
  final Map<String, Double> rateFactors = new LinkedHashMap<>();
  @Nullable Path checkpoint;
  @Nullable Evaluation evaluation;
  @Nullable Device device;
  String description = "";
  long seed;
  StopSignal stop = new StopSignal();
  Resume resume = Resume.SAME;
  ProcessGroup group = ProcessGroup.alone();

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
   * Sets the teacher, whose outputs the objective reads by the names of its taps.
   *
   * @param network on the same device as the student; reads the inputs of the batch that it names
   * @return this
   */
  public Distiller withTeacher(TappedNetwork network) {
    teachers.add("", Objects.requireNonNull(network, "network"), Map.of());
    return this;
  }

  /**
   * Adds one of several teachers, whose outputs the objective reads as {@code NAME.tap}.
   *
   * @param name of the teacher; replaces one of the same name
   * @param network as for {@link #withTeacher(TappedNetwork)}
   * @param inputs the batch's name for each input of the network where it differs, such as
   *     {"images": "sar"}
   * @return this
   * @throws IllegalArgumentException if the network has no such input
   */
  public Distiller withTeacher(String name, TappedNetwork network, Map<String, String> inputs) {
    teachers.add(
        Objects.requireNonNull(name, "name"),
        Objects.requireNonNull(network, "network"),
        Objects.requireNonNull(inputs, "inputs"));
    return this;
  }

  /** Adds one of several teachers, which reads inputs by its own names. */
  public Distiller withTeacher(String name, TappedNetwork network) {
    return withTeacher(name, network, Map.of());
  }

  /**
   * Keeps what a teacher puts out in files, and reads it there instead of computing it again.
   *
   * @param name of the teacher; empty for the one that {@link #withTeacher(TappedNetwork)} set
   * @param cache where, of this teacher alone
   * @return this
   */
  public Distiller withTeacherCache(String name, TeacherCache cache) {
    teachers.cache(Objects.requireNonNull(name, "name"), Objects.requireNonNull(cache, "cache"));
    return this;
  }

  /**
   * Sets the optimizer of a part that learns against the student. Without it such a part has one
   * like the student's, with a state of its own. The schedule is the same for all.
   *
   * @param term whose loss has the part
   * @param settings its optimizer
   * @return this
   */
  public Distiller withOptimizer(String term, Optimizer settings) {
    optimizers.put(
        Objects.requireNonNull(term, "term"), Objects.requireNonNull(settings, "settings"));
    return this;
  }

  /**
   * Sets the rate of a group of parameters in the student's optimizer.
   *
   * @param beginning of their names: "head." of the student's, "part.TERM." of what a loss trains.
   *     Of several that fit the longest counts
   * @param factor of the rate, 0 or greater
   * @return this
   */
  public Distiller withRateFactor(String beginning, double factor) {
    rateFactors.put(Objects.requireNonNull(beginning, "beginning"), factor);
    return this;
  }

  /**
   * Sets the seed of the initial weights of what losses train; 0 without it.
   *
   * @param number any number
   * @return this
   */
  public Distiller withSeed(long number) {
    seed = number;
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
   * refused. A checkpoint knows anyway steps, optimizers, schedule, losses with their settings
   * ({@link org.structkd.objective.Term}), weights, the teachers ({@link
   * TappedNetwork#fingerprint}), and shape and look of the first batch.
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
   * Trains data-parallel, as one of several processes that all call {@link #train} with the same
   * settings (docs/data-parallel.md).
   *
   * <p>The batches stay those of one process: each rank learns from its share of every batch, and
   * all move their weights by the mean of their gradients. All begin with the weights, or the
   * checkpoint, of rank 0, which alone writes checkpoints, evaluates and tells listeners. A stop
   * signal that any rank gets ends all of them after the step they are in; so does a failure.
   *
   * @param ranks the processes; stays open
   * @return this
   */
  public Distiller withProcessGroup(ProcessGroup ranks) {
    group = Objects.requireNonNull(ranks, "ranks");
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
   * Refuses the checkpoint of a training, where weights of a network are expected.
   *
   * @param file any file of tensors
   * @throws DataFileException if it is one
   */
  public static void requireWeights(TensorFile file) throws DataFileException {
    if (Checkpoint.isOne(file)) {
      throw new DataFileException(
          file.source(),
          "weights of a network",
          "the checkpoint of a training; when that ends, it writes NAME.safetensors beside it");
    }
  }

  /**
   * Trains, or continues to. The student is left in evaluation mode.
   *
   * <p>What can be known is checked before the first step: taps, weights of all steps, the
   * evaluation, both networks and all terms on the first batch, whether a checkpoint can be
   * written. What ends a training later is thrown as it came, whether out of a term, a listener,
   * the evaluation or the optimizer, and Errors alike; what a batch source throws is the cause of
   * an IllegalStateException that names the step. Where the state between two steps is whole, it is
   * saved before.
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
   * @throws RankFailedException if another rank of the process group has failed or ended; the last
   *     whole state is saved all the same
   */
  public TrainingOutcome train(TrainableNetwork student) throws IOException {
    Objects.requireNonNull(student, "student");
    try {
      return new PreparedTraining(this, student).train();
    } catch (RuntimeException e) {
      throw NativeCall.translate(e); // LibTorch's texts, wherever in the training they come from
    }
  }

  /**
   * Checks what can be known before the first step, as {@link #train} does, but for the checkpoint:
   * taps, weights of all steps, the evaluation, both networks and all terms on the first batch,
   * what optimizers and rate factors belong to, whose outputs a teacher's cache holds. Changes and
   * writes nothing.
   *
   * @param student that would be trained
   * @throws IllegalArgumentException as {@link #train}
   * @throws IOException if a teacher's cache is another's or cannot be read, or this thread is
   *     interrupted
   */
  public void requireFit(TrainableNetwork student) throws IOException {
    try {
      new PreparedTraining(this, student).requireFit();
    } catch (RuntimeException e) {
      throw NativeCall.translate(e);
    }
  }
}
