package org.structkd.cli;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.bytedeco.pytorch.Device;
import org.structkd.data.FashionScenes;
import org.structkd.metric.Palette;
import org.structkd.metric.Score;
import org.structkd.model.SegmentationNet;
import org.structkd.train.AtomicFile;
import org.structkd.train.Environment;
import org.structkd.train.MetricsCsv;
import org.structkd.train.TrainingOutcome;

/**
 * What the command distill found: a table for the terminal, report.html and its pictures.
 *
 * @param method name of the method that was compared
 * @param firstSeed of the first student; the others have the numbers after it
 * @param alone students that learned from labels alone, in the order of their seeds
 * @param taught those that also learned from the teacher
 */
record DistillReport(
    String method, long firstSeed, Trained teacher, List<Trained> alone, List<Trained> taught) {
  private static final String MIOU = "%.4f";
  private static final String GAIN = "%+.4f";

  /** A network and its score; no outcome if it was not trained here. */
  record Trained(SegmentationNet net, Score score, TrainingOutcome outcome) {}

  /** Scores side by side. */
  ScoreTable table() {
    ScoreTable table = new ScoreTable();
    table.add(
        "teacher",
        teacher.net().parameterCount(),
        new Summary(teacher.score().value("miou")),
        new Summary(teacher.score().value("pixel_accuracy")),
        Double.NaN);
    add(table, "student alone", alone);
    add(table, "student, " + method, taught);
    return table;
  }

  private static void add(ScoreTable table, String name, List<Trained> students) {
    table.add(
        name,
        students.get(0).net().parameterCount(),
        summary(students, score -> score.value("miou")),
        summary(students, score -> score.value("pixel_accuracy")),
        students.stream()
            .mapToDouble(student -> student.outcome().millisPerStep())
            .average()
            .orElseThrow());
  }

  private static Summary summary(List<Trained> students, ToDoubleFunction<Score> number) {
    return new Summary(
        students.stream().mapToDouble(student -> number.applyAsDouble(student.score())).toArray());
  }

  /** One sentence: what the teacher was worth, and how much of that is chance. */
  String gain() {
    Summary difference = difference(score -> score.value("miou"));
    return difference.values().length == 1
        ? "gain by %s: %+.4f mIoU with one seed; --seeds tells how much of it is chance"
            .formatted(method, difference.mean())
        : "gain by %s: %+.4f ± %.4f mIoU (mean and standard error of %d seeds)"
            .formatted(
                method, difference.mean(), difference.standardError(), difference.values().length);
  }

  private Summary difference(ToDoubleFunction<Score> number) {
    return summary(taught, number).minus(summary(alone, number));
  }

  /** Writes report.html, samples.png and curves.png. */
  void write(RunFolder folder, FashionScenes scenes, Device device, String command)
      throws IOException {
    Map<String, SegmentationNet> networks = new LinkedHashMap<>();
    networks.put("teacher", teacher.net());
    networks.put("student alone", alone.get(0).net());
    networks.put("distilled", taught.get(0).net());
    BufferedImage samples = SampleSheet.draw(scenes, networks, device);
    BufferedImage curves = Curves.draw(MetricsCsv.read(folder.resolve(TrainingRun.METRICS)));
    picture(folder, "samples.png", samples);
    picture(folder, "curves.png", curves);
    Report report = new Report("structkd distill: " + method);
    report.table(ScoreTable.HEADINGS, table().rows()).paragraph(gain());
    report.heading("mIoU by seed").table(List.of("seed", "alone", method, "gain"), seeds());
    report
        .heading("IoU by class, mean over the seeds")
        .legend(List.of("class", "teacher", "alone", method, "gain"), classes(), Palette::colour);
    report.picture("Samples", samples).picture("Curves", curves);
    report.heading("How it was made").preformatted(command + "\n\n" + environment());
    report.heading("Settings").preformatted(folder.settingsText());
    folder.write("report.html", report.html());
  }

  private static void picture(RunFolder folder, String name, BufferedImage image)
      throws IOException {
    AtomicFile.write(folder.resolve(name), file -> ImageIO.write(image, "png", file));
  }

  private List<List<String>> seeds() {
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < alone.size(); i++) {
      double without = alone.get(i).score().value("miou");
      double with = taught.get(i).score().value("miou");
      rows.add(
          List.of(
              Long.toString(firstSeed + i),
              MIOU.formatted(without),
              MIOU.formatted(with),
              GAIN.formatted(with - without)));
    }
    return rows;
  }

  private List<List<String>> classes() {
    List<List<String>> rows = new ArrayList<>();
    for (int label = 0; label < FashionScenes.CLASSES; label++) {
      int row = label;
      ToDoubleFunction<Score> iou = score -> score.value("iou_" + row);
      rows.add(
          List.of(
              FashionScenes.CLASS_NAMES.get(label),
              MIOU.formatted(iou.applyAsDouble(teacher.score())),
              MIOU.formatted(summary(alone, iou).mean()),
              MIOU.formatted(summary(taught, iou).mean()),
              GAIN.formatted(difference(iou).mean())));
    }
    return rows;
  }

  private static String environment() {
    return Environment.current().entrySet().stream()
        .map(entry -> entry.getKey() + ": " + entry.getValue())
        .collect(Collectors.joining("\n"));
  }
}
