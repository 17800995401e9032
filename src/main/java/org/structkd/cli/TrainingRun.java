package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.FashionScenes;
import org.structkd.data.FashionScenesDataset;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.SegmentationMetric;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.objective.DivergedException;
import org.structkd.objective.Objective;
import org.structkd.train.AtomicFile;
import org.structkd.train.Distiller;
import org.structkd.train.MetricsCsv;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingListener;
import org.structkd.train.TrainingOutcome;
import picocli.CommandLine.Model.CommandSpec;

/**
 * Does the trainings of one run folder. A training that was done before returns at once with what
 * it left, one that was interrupted continues; so a command resumes by doing everything again.
 */
final class TrainingRun {
  /** A signal ended the training; its state is saved. */
  static final class Stopped extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Says how to go on; the JVM itself replaces the status by that of the signal. */
    int tell(CommandSpec spec, RunFolder folder) {
      PrintWriter out = spec.commandLine().getOut();
      out.printf(
          "%nstopped and saved; this continues:%n  ./structkd %s --resume %s%n",
          spec.name(), folder.path());
      out.flush();
      return INTERRUPTED;
    }
  }

  /** Exit status of a process that Ctrl-C ended, by convention. */
  private static final int INTERRUPTED = 130;

  /** Name of the log in a run folder. */
  static final String METRICS = "metrics.csv";

  /** Steps between checkpoints: some seconds of work, where saving takes milliseconds. */
  static final int CHECKPOINT_EVERY = 100;

  /** Scenes of the validation split for the curve. */
  private static final int VALIDATION_SCENES = 200;

  /** Points of a curve. */
  private static final int EVALUATIONS = 10;

  /** An evaluation costs as much as some steps. */
  private static final int LEAST_STEPS_BETWEEN_EVALUATIONS = 10;

  private final RunFolder folder;
  private final MetricsCsv metrics;
  private final StopSignal stop;
  private final Device device;
  private final Resume resume;

  TrainingRun(RunFolder folder, MetricsCsv metrics, StopSignal stop, Device device, Resume resume) {
    this.folder = folder;
    this.metrics = metrics;
    this.stop = stop;
    this.device = device;
    this.resume = resume;
  }

  /**
   * One training.
   *
   * @param name of its files
   * @param objective what it minimises
   * @param teacher may be null if the objective reads none
   * @param batches to train on
   * @param progress shows how far it is
   */
  record Task(
      String name,
      Objective objective,
      @Nullable TappedNetwork teacher,
      SceneBatches batches,
      TrainingConfig config,
      TrainingListener progress) {}

  /** {@return steps between evaluations of a training of so many steps} */
  static long evaluateEvery(long steps) {
    return Math.max(LEAST_STEPS_BETWEEN_EVALUATIONS, steps / EVALUATIONS);
  }

  /** {@return how nets are scored on the first scenes of a split} */
  static DatasetEvaluation evaluation(FashionScenes scenes, Split split, int count) {
    return new DatasetEvaluation(
        new FashionScenesDataset(scenes, SceneBatches.ALL, count, count),
        split,
        new SegmentationMetric(SegmentationNet.UPSAMPLED, FashionScenes.CLASSES));
  }

  /** Trains the net; leaves NAME.safetensors and NAME.checkpoint in the folder. */
  TrainingOutcome train(Task task, SegmentationNet net, String description) throws IOException {
    net.to(device);
    Distiller distiller =
        new Distiller(task.config(), task.objective(), task.batches())
            .withDevice(device)
            .withDescription(description)
            .withCheckpoint(folder.resolve(task.name() + ".checkpoint"))
            .withResume(resume)
            .withStop(stop)
            .withListener(metrics.listener(task.name()))
            .withListener(task.progress());
    if (task.config().evaluateEvery() > 0) {
      distiller.withEvaluation(
          evaluation(task.batches().scenes(), Split.VALIDATION, VALIDATION_SCENES));
    }
    if (task.teacher() != null) {
      distiller.withTeacher(task.teacher());
    }
    TrainingOutcome outcome = train(distiller, task, net);
    if (!outcome.complete()) {
      throw new Stopped();
    }
    return outcome;
  }

  private static TrainingOutcome train(Distiller distiller, Task task, SegmentationNet net)
      throws IOException {
    try {
      return distiller.train(net);
    } catch (IllegalArgumentException e) { // settings that teach nothing, told by the first step
      throw new CommandFailure(CommandFailure.BAD_INPUT, task.name() + ": " + e.getMessage());
    } catch (DivergedException e) {
      throw new CommandFailure(
          1,
          task.name()
              + ": "
              + e.getMessage()
              + (e.image() < 0
                  ? ""
                  : "; the image is training scene "
                      + task.batches().indices(e.step())[e.image()]));
    }
  }

  /** Writes NAME.safetensors. */
  void saveWeights(String name, SegmentationNet net, Map<String, String> properties)
      throws IOException {
    Path file = folder.resolve(name + ".safetensors");
    TensorFile weights = net.toFile(properties);
    AtomicFile.write(file, weights::write);
  }
}
