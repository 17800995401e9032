package org.structkd.cli;

import static org.structkd.train.Resume.LONGER;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.SceneBatches;
import org.structkd.model.SegmentationNet;
import org.structkd.train.DistillationMethod;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains students alone and distilled, and compares. */
@Command(
    name = "distill",
    description = {
      "Train a small network alone and with a teacher, from the same initial weights on the same"
          + " scenes, and compare them on test scenes.",
      "",
      "Leaves a run folder: config.json, metrics.csv, checkpoints and weights, curves.png,"
          + " samples.png and report.html, which needs no other file.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:all students are trained",
      "1:native code or the disk failed, or a training diverged",
      "2:the command line, or a file or folder that it names, makes no sense",
      "130, 143:stopped by Ctrl-C or SIGTERM; the state is saved"
    })
final class Distill implements Callable<Integer> {
  private static final int MAX_SEEDS = 100;

  @Spec private CommandSpec spec;

  @Option(
      names = "--method",
      paramLabel = "METHOD",
      defaultValue = "skd",
      description = {
        "Losses beside the supervised one: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.",
        "kd: pixel-wise. skd: pixel-wise and pair-wise. icsd: pixel-wise and inter-class"
            + " similarity, adaptive weights. gsskd: pixel-wise and global structural. The others"
            + " are one loss alone."
      })
  private DistillationMethod method;

  @Option(
      names = "--weights",
      paramLabel = "TERM=WEIGHT",
      split = ",",
      description = "Weights of the method's terms, such as pixelwise=5,pairwise=1.")
  private Map<String, Double> weights = new LinkedHashMap<>();

  @Option(
      names = "--seeds",
      paramLabel = "N",
      defaultValue = "3",
      description =
          "Repetitions with other weights and scenes, 1 to 100. Default: ${DEFAULT-VALUE}.")
  private int seeds;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "The first seed. Default: ${DEFAULT-VALUE}.")
  private long seed;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Training steps of each student. Default: ${DEFAULT-VALUE}.")
  private long steps;

  @Option(
      names = "--labelled",
      paramLabel = "N",
      defaultValue = "128",
      description = {
        "Training scenes that have labels; half of each batch are others, from which a student"
            + " learns by its teacher alone. 0: all have labels, none is seen twice. Default:"
            + " ${DEFAULT-VALUE}."
      })
  private int labelled;

  @Option(
      names = "--student-width",
      paramLabel = "N",
      defaultValue = "6",
      description = "Channels of the student's first block, 1 to 512. Default: ${DEFAULT-VALUE}.")
  private int studentWidth;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N",
      defaultValue = "100",
      description = "Steps between checkpoints, milliseconds each. Default: ${DEFAULT-VALUE}.")
  private long checkpointEvery;

  @Option(
      names = "--test-scenes",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Scenes to compare on. Default: ${DEFAULT-VALUE}.")
  private int testScenes;

  @Option(
      names = "--teacher",
      paramLabel = "FILE",
      description =
          "Weights that train-teacher made. Default: the teacher that comes with structkd.")
  private @Nullable Path teacher;

  @Mixin private OptimizerOptions optimizer;
  @Mixin private DataOptions data;
  @Mixin private RunOptions runs;
  @Mixin private ResumeOptions resumes;
  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    Device device = machine.prepare();
    return runs.execute(
        spec,
        () -> requireFullBatches(settings()),
        DistillSettings.class,
        resumes.allowed(spec),
        this::changed,
        (settings, stop) -> {
          machine.useThreadsOf(settings.threads(), spec);
          PrintWriter out = spec.commandLine().getOut();
          String command = "./structkd " + String.join(" ", originalArguments());
          return new DistillRun(settings, command, out, stop, device, resumes.resume())::run;
        });
  }

  /** The settings of a run with what was given beside --resume. */
  private DistillSettings changed(DistillSettings run) {
    method = run.method();
    Map<String, Double> all = new LinkedHashMap<>(run.weights());
    all.putAll(weights);
    weights = all;
    if (!spec.commandLine().getParseResult().hasMatchedOption("--steps")) {
      steps = run.steps();
    }
    DistillSettings settings = resumes.merged(spec, run, settings());
    ResumeOptions.requireMoreSteps(settings.steps(), run.steps());
    if (settings.steps() > run.steps() && method.isAdaptive() && resumes.resume() == LONGER) {
      throw new CommandFailure(
          CommandFailure.BAD_INPUT,
          "--steps: the weights of "
              + method
              + " depend on the number of steps, so a longer run is another one; --resume-changed"
              + " makes it all the same");
    }
    return requireFullBatches(settings);
  }

  /** Options may fit one by one, and not the run whose settings they join. */
  private static DistillSettings requireFullBatches(DistillSettings settings) {
    if (settings.labelled() != SceneBatches.ALL) {
      long half = (settings.batch() + 1) / 2;
      Ranges.require("--labelled", settings.labelled(), half, SceneBatches.MAX_LABELLED);
    }
    return settings;
  }

  private List<String> originalArguments() {
    return spec.commandLine().getParseResult().originalArgs();
  }

  private DistillSettings settings() {
    Ranges.require("--seeds", seeds, 1, MAX_SEEDS);
    Ranges.require("--steps", steps, 1, Ranges.MAX_STEPS);
    Ranges.require("--student-width", studentWidth, 1, SegmentationNet.MAX_WIDTH);
    Ranges.require("--checkpoint-every", checkpointEvery, 1, Ranges.MAX_STEPS);
    Ranges.require("--test-scenes", testScenes, 1, Evaluate.MAX_SCENES);
    Ranges.require("--labelled", labelled, 0, SceneBatches.MAX_LABELLED);
    try {
      method.objective(weights, steps);
    } catch (IllegalArgumentException e) {
      throw new CommandFailure(CommandFailure.BAD_INPUT, "--weights: " + e.getMessage());
    }
    return new DistillSettings(
        method,
        method.weightsWith(weights),
        seeds,
        seed,
        steps,
        optimizer.batch(),
        labelled,
        optimizer.learningRate(),
        studentWidth,
        checkpointEvery,
        testScenes,
        teacher == null ? null : DataOptions.absolute(teacher),
        data.path(),
        machine.threads());
  }
}
