package org.structkd.cli;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.bytedeco.pytorch.Device;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneConfig;
import org.structkd.data.SegmentationScore;
import org.structkd.data.Split;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.objective.Objective;
import org.structkd.train.AtomicFile;
import org.structkd.train.DistillationMethod;
import org.structkd.train.Evaluation;
import org.structkd.train.LearningRate;
import org.structkd.train.StopSignal;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingOutcome;

/** The work of the command distill in one run folder. */
final class DistillRun {
  private final RunFolder folder;
  private final DistillSettings settings;
  private final PrintWriter out;
  private final StopSignal stop;
  private final Device device;
  private final FashionScenes scenes;
  private final Evaluation test;
  private final SegmentationNet teacher;
  private final Objective supervised = DistillationMethod.supervised();
  private final Objective distilled;
  private final TrainingRun trainings;

  DistillRun(
      RunFolder folder, DistillSettings settings, PrintWriter out, StopSignal stop, Device device)
      throws IOException {
    this.folder = folder;
    this.settings = settings;
    this.out = out;
    this.stop = stop;
    this.device = device;
    scenes = DataOptions.load(settings.data());
    test = new Evaluation(scenes, Split.TEST, settings.testScenes(), SegmentationNet.UPSAMPLED);
    teacher =
        settings.teacher() == null
            ? BundledTeacher.load()
            : SegmentationNet.of(TensorFile.read(Path.of(settings.teacher())));
    distilled = settings.method().objective(settings.weights(), settings.steps());
    MetricsCsv metrics =
        new MetricsCsv(
            folder.resolve(MetricsCsv.NAME), MetricsCsv.termsOf(List.of(supervised, distilled)));
    trainings = new TrainingRun(folder, metrics, stop, device);
  }

  /** One student after its training. */
  private record Student(SegmentationNet net, TrainingOutcome outcome, SegmentationScore score) {}

  void run() throws IOException {
    teacher.to(device);
    SegmentationScore teacherScore = test.of(teacher, device);
    out.printf("teacher: mIoU %.4f on %d test scenes%n", teacherScore.meanIou(), test.count());
    List<Student> alone = new ArrayList<>();
    List<Student> taught = new ArrayList<>();
    for (int i = 0; i < settings.seeds(); i++) {
      long seed = settings.seed() + i;
      alone.add(student("alone-" + seed, seed, supervised));
      taught.add(student("distilled-" + seed, seed, distilled));
    }
    ScoreTable table = new ScoreTable();
    table.add(
        "teacher",
        teacher.parameterCount(),
        new Summary(teacherScore.meanIou()),
        new Summary(teacherScore.pixelAccuracy()),
        Double.NaN);
    add(table, "student alone", alone);
    add(table, "student, " + settings.method().label(), taught);
    String gain = gain(miou(taught).minus(miou(alone)));
    out.printf("%n%s%n%s%n", table, gain);
    report(table, gain, alone.get(0).net(), taught.get(0).net());
    out.printf("pictures and report in %s%n", folder.resolve("report.html"));
    out.flush();
  }

  private Student student(String name, long seed, Objective objective) throws IOException {
    SegmentationNet net =
        new SegmentationNet(
            new SegmentationNet.Config(1, settings.studentWidth(), FashionScenes.CLASSES), seed);
    TrainingRun.Task task =
        new TrainingRun.Task(
            name,
            objective,
            objective == supervised ? null : teacher,
            scenes.withConfig(SceneConfig.defaults().withSeed(seed)),
            settings.batch(),
            new TrainingConfig(
                settings.steps(),
                LearningRate.poly(settings.learningRate()),
                TrainingRun.evaluateEvery(settings.steps()),
                settings.checkpointEvery()),
            ProgressLines.on(out, name));
    TrainingOutcome outcome = trainings.train(task, net, settings.description(seed));
    SegmentationScore score = test.of(net, device);
    trainings.saveWeights(name, net, Map.of("training", settings.description(seed)));
    out.printf("  mIoU %.4f%n", score.meanIou());
    out.flush();
    if (stop.isRequested()) {
      throw new TrainingRun.Stopped(); // between two trainings
    }
    return new Student(net, outcome, score);
  }

  private static void add(ScoreTable table, String name, List<Student> students) {
    table.add(
        name,
        students.get(0).net().parameterCount(),
        miou(students),
        new Summary(
            students.stream().mapToDouble(student -> student.score().pixelAccuracy()).toArray()),
        students.stream()
            .mapToDouble(student -> student.outcome().millisPerStep())
            .average()
            .orElseThrow());
  }

  private static Summary miou(List<Student> students) {
    return new Summary(
        students.stream().mapToDouble(student -> student.score().meanIou()).toArray());
  }

  private String gain(Summary difference) {
    String method = settings.method().label();
    return settings.seeds() == 1
        ? "gain by %s: %+.4f mIoU with one seed; --seeds tells how much of it is chance"
            .formatted(method, difference.mean())
        : "gain by %s: %+.4f ± %.4f mIoU over %d seeds"
            .formatted(method, difference.mean(), difference.deviation(), settings.seeds());
  }

  private void report(ScoreTable table, String gain, SegmentationNet alone, SegmentationNet taught)
      throws IOException {
    Map<String, SegmentationNet> networks = new LinkedHashMap<>();
    networks.put("teacher", teacher);
    networks.put("student alone", alone);
    networks.put("distilled", taught);
    Map<String, BufferedImage> pictures = new LinkedHashMap<>();
    pictures.put("samples", SampleSheet.draw(scenes, networks, device));
    pictures.put("curves", Curves.draw(MetricsCsv.read(folder.resolve(MetricsCsv.NAME))));
    for (Map.Entry<String, BufferedImage> picture : pictures.entrySet()) {
      AtomicFile.write(
          folder.resolve(picture.getKey() + ".png"),
          file -> ImageIO.write(picture.getValue(), "png", file));
    }
    folder.write(
        "report.html",
        Report.html(
            "structkd distill: " + settings.method().label(),
            table,
            gain,
            pictures,
            folder.settingsText()));
  }
}
