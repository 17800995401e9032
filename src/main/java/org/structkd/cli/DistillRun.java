package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Device;
import org.structkd.cli.DistillReport.Trained;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.SceneConfig;
import org.structkd.data.Split;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.Score;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.objective.Objective;
import org.structkd.train.DistillationMethod;
import org.structkd.train.MetricsCsv;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingOutcome;

/** The work of the command distill in one run folder. */
final class DistillRun {
  private final DistillSettings settings;
  private final String command;
  private final PrintWriter out;
  private final StopSignal stop;
  private final Device device;
  private final FashionScenes scenes;
  private final DatasetEvaluation test;
  private final SegmentationNet teacher;
  private final Objective supervised = DistillationMethod.supervised();
  private final Objective distilled;
  private final Resume resume;

  /** Loads what the run needs, and writes nothing. */
  DistillRun(
      DistillSettings settings,
      String command,
      PrintWriter out,
      StopSignal stop,
      Device device,
      Resume resume)
      throws IOException {
    this.settings = settings;
    this.command = command;
    this.out = out;
    this.stop = stop;
    this.device = device;
    this.resume = resume;
    scenes = DataOptions.load(settings.data());
    test = TrainingRun.evaluation(scenes, Split.TEST, settings.testScenes());
    teacher =
        settings.teacher() == null
            ? BundledTeacher.load()
            : WeightsOption.load(Path.of(settings.teacher()));
    distilled = settings.method().objective(settings.weights(), settings.steps());
  }

  void run(RunFolder folder) throws IOException {
    MetricsCsv metrics =
        MetricsCsv.open(folder.resolve(TrainingRun.METRICS), "miou", supervised, distilled);
    TrainingRun trainings = new TrainingRun(folder, metrics, stop, device, resume);
    teacher.to(device);
    Trained taughtBy = new Trained(teacher, test.of(teacher, device), null);
    out.printf(
        "teacher: mIoU %.4f on %d test scenes%n",
        taughtBy.score().value("miou"), settings.testScenes());
    List<Trained> alone = new ArrayList<>();
    List<Trained> taught = new ArrayList<>();
    for (int i = 0; i < settings.seeds(); i++) {
      long seed = settings.seed() + i;
      alone.add(student(trainings, "alone-" + seed, seed, supervised));
      taught.add(student(trainings, "distilled-" + seed, seed, distilled));
    }
    DistillReport report =
        new DistillReport(settings.method().toString(), settings.seed(), taughtBy, alone, taught);
    out.printf("%n%s%n%s%n", report.table(), report.gain());
    report.write(folder, scenes, device, command);
    out.printf("pictures and report in %s%n", folder.resolve("report.html"));
    out.flush();
  }

  private Trained student(TrainingRun trainings, String name, long seed, Objective objective)
      throws IOException {
    SegmentationNet net =
        new SegmentationNet(
            new SegmentationNet.Config(1, settings.studentWidth(), FashionScenes.CLASSES), seed);
    TrainingRun.Task task =
        new TrainingRun.Task(
            name,
            objective,
            objective == supervised ? null : teacher,
            new SceneBatches(
                scenes.withConfig(SceneConfig.defaults().withSeed(seed)),
                settings.batch(),
                settings.labelled()),
            TrainingConfig.of(settings.steps(), settings.learningRate())
                .withEvaluateEvery(TrainingRun.evaluateEvery(settings.steps()))
                .withCheckpointEvery(settings.checkpointEvery()),
            ProgressLines.on(out, name));
    TrainingOutcome outcome = trainings.train(task, net, settings.training(seed));
    Score score = test.of(net, device);
    trainings.saveWeights(name, net, Map.of("training", settings.description(seed)));
    out.printf("  mIoU %.4f%n", score.value("miou"));
    out.flush();
    if (stop.isRequested()) {
      throw new TrainingRun.Stopped(); // between two trainings
    }
    return new Trained(net, score, outcome);
  }
}
