package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneConfig;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.train.DistillationMethod;
import org.structkd.train.MetricsCsv;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains the network that students learn from. */
@Command(
    name = "train-teacher",
    description = {
      "Train a teacher on labelled scenes.",
      "",
      "Leaves teacher.safetensors in the run folder, for distill --teacher, evaluate and predict. The"
          + " teacher that comes with structkd was made by this command with its defaults.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the teacher is trained",
      "1:native code or the disk failed, or the training diverged",
      "2:the command line, or a file or folder that it names, makes no sense",
      "130, 143:stopped by Ctrl-C or SIGTERM; the state is saved"
    })
final class TrainTeacher implements Callable<Integer> {
  static final String NAME = "teacher";

  /** Settings as the run folder keeps them. */
  record Settings(
      long steps,
      int width,
      int batch,
      double learningRate,
      long seed,
      @Nullable String data,
      int threads) {
    /** Refuses a file of another command: Gson leaves null or 0 what it does not find. */
    Settings {
      if (steps < 1 || width < 1 || batch < 1) {
        throw new IllegalArgumentException("steps, width or batch is missing");
      }
    }
  }

  @Spec private CommandSpec spec;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "6000",
      description = "Training steps. Default: ${DEFAULT-VALUE}.")
  private long steps;

  @Option(
      names = "--width",
      paramLabel = "N",
      defaultValue = "24",
      description = "Channels of the first block, 1 to 512. Default: ${DEFAULT-VALUE}.")
  private int width;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Initial weights and scenes. Default: ${DEFAULT-VALUE}.")
  private long seed;

  @Mixin private OptimizerOptions optimizer;
  @Mixin private RunOptions runs;
  @Mixin private ResumeOptions resumes;
  @Mixin private DataOptions data;
  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    Ranges.require("--steps", steps, 1, Ranges.MAX_STEPS);
    Ranges.require("--width", width, 1, SegmentationNet.MAX_WIDTH);
    Device device = machine.prepare();
    Settings given =
        new Settings(
            steps,
            width,
            optimizer.batch(),
            optimizer.learningRate(),
            seed,
            data.path(),
            machine.threads());
    return runs.execute(
        spec,
        () -> given,
        Settings.class,
        resumes.allowed(spec),
        run -> {
          Settings settings = resumes.merged(spec, run, given);
          ResumeOptions.requireMoreSteps(settings.steps(), run.steps());
          return settings;
        },
        (settings, stop) -> {
          machine.useThreadsOf(settings.threads(), spec);
          FashionScenes scenes = DataOptions.load(settings.data());
          return folder -> train(folder, settings, scenes, device, stop);
        });
  }

  private void train(
      RunFolder folder, Settings settings, FashionScenes scenes, Device device, StopSignal stop)
      throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    Objective objective = DistillationMethod.supervised();
    MetricsCsv metrics = MetricsCsv.open(folder.resolve(TrainingRun.METRICS), "miou", objective);
    TrainingRun run = new TrainingRun(folder, metrics, stop, device, resumes.resume());
    SegmentationNet net =
        new SegmentationNet(
            new SegmentationNet.Config(1, settings.width(), FashionScenes.CLASSES),
            settings.seed());
    TrainingRun.Task task =
        new TrainingRun.Task(
            NAME,
            objective,
            null,
            SceneBatches.of(
                scenes.withConfig(SceneConfig.defaults().withSeed(settings.seed())),
                settings.batch()),
            TrainingConfig.of(settings.steps(), settings.learningRate())
                .withEvaluateEvery(TrainingRun.evaluateEvery(settings.steps()))
                .withCheckpointEvery(TrainingRun.CHECKPOINT_EVERY),
            ProgressLines.on(out, NAME));
    run.train(task, net, "seed " + settings.seed());
    Score score =
        TrainingRun.evaluation(scenes, Split.TEST, scenes.sourceImages(Split.TEST)).of(net, device);
    Map<String, String> properties = new LinkedHashMap<>();
    properties.put("training", settings.toString());
    properties.put("test mIoU", "%.4f".formatted(score.value("miou")));
    properties.put("test pixel accuracy", "%.4f".formatted(score.value("pixel_accuracy")));
    run.saveWeights(NAME, net, properties);
    out.printf(
        "%nmIoU %.4f, pixel accuracy %.4f on %d test scenes; %,d parameters%nweights in %s%n",
        score.value("miou"),
        score.value("pixel_accuracy"),
        scenes.sourceImages(Split.TEST),
        net.parameterCount(),
        folder.resolve(NAME + ".safetensors"));
  }
}
