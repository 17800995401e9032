package org.structkd.run;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.structkd.metric.Confusion;
import org.structkd.metric.Score;
import org.structkd.model.TappedNetwork;
import org.structkd.train.AtomicFile;
import org.structkd.train.Environment;
import org.structkd.train.MetricsCsv;

/**
 * What a distillation found: a table for the terminal, report.html and its pictures.
 *
 * @param recipe its name
 * @param firstSeed of the first student; the others have the numbers after it
 * @param teachers by name, as far as the metric can judge them
 * @param alone students that learned without a teacher, in the order of their seeds; may be empty
 * @param taught those that also learned from the teacher; may be empty, but not both
 */
record DistillReport(
    String recipe,
    long firstSeed,
    Map<String, Trained> teachers,
    List<Trained> alone,
    List<Trained> taught) {

  /** Heading of the students that learned without a teacher. */
  static final String ALONE = "student alone";

  /** {@return the heading of the students that also learned from the teacher} */
  static String taught(String recipe) {
    return "student, " + recipe;
  }

  /** All columns of the tables by heading: networks that differ in their seed alone. */
  private Map<String, List<Trained>> columns() {
    Map<String, List<Trained>> columns = new LinkedHashMap<>();
    teachers.forEach((name, teacher) -> columns.put(name, List.of(teacher)));
    columns.put(ALONE, alone);
    columns.put(taught(recipe), taught);
    columns.values().removeIf(List::isEmpty);
    return columns;
  }

  /** What all networks of each column took for what, over the seeds; empty without classes. */
  private ConfusionTable confusions() {
    ConfusionTable table = new ConfusionTable();
    columns()
        .forEach(
            (name, networks) ->
                networks.stream()
                    .map(network -> network.score().confusion())
                    .filter(Objects::nonNull)
                    .reduce(Confusion::plus)
                    .ifPresent(confusion -> table.add(name, confusion)));
    return table;
  }

  private Score anyScore() {
    return (taught.isEmpty() ? alone : taught).get(0).score();
  }

  /** Scores side by side. */
  ScoreTable table() {
    ScoreTable table = new ScoreTable(anyScore());
    columns()
        .forEach(
            (name, networks) ->
                table.add(
                    name,
                    networks.get(0).parameters(),
                    networks.stream().map(Trained::score).toList(),
                    networks.stream().mapToDouble(Trained::millisPerStep).average().orElseThrow()));
    return table;
  }

  /** One line: what the teacher was worth, and how much of that is chance; or nothing. */
  String gain() {
    if (alone.isEmpty() || taught.isEmpty()) {
      return "";
    }
    Summary gain = gain(score -> score.leading().value());
    Score.Number leading = anyScore().leading();
    return "gain by %s: %s %s%s (%s)%n"
        .formatted(
            recipe,
            gain.asDifference(),
            ScoreTable.title(leading),
            leading.higherIsBetter() ? "" : ", of which less is better",
            gain.values().length == 1
                ? "one seed; --seeds tells how much of it is chance"
                : "mean and standard error of " + gain.values().length + " seeds");
  }

  private Summary gain(Function<Score, Double> number) {
    return summary(taught, number).minus(summary(alone, number));
  }

  private static Summary summary(List<Trained> networks, Function<Score, Double> number) {
    return new Summary(
        networks.stream().mapToDouble(network -> number.apply(network.score())).toArray());
  }

  /** {@return one network of each column, by heading} */
  Map<String, TappedNetwork> networks() {
    Map<String, TappedNetwork> networks = new LinkedHashMap<>();
    columns().forEach((name, column) -> networks.put(name, column.get(0).network()));
    return networks;
  }

  /**
   * Writes report.html, samples.png and curves.png; confusion.csv and confusion.png where answers
   * are classes.
   *
   * @param sizes of the networks, where they are worth a table
   */
  void write(RunFolder folder, SampleSheet sheet, Optional<SizeTable> sizes, RunSettings settings)
      throws IOException {
    List<Map<String, BufferedImage>> examples = sheet.rows(networks());
    BufferedImage samples = SampleSheet.painted(examples, sheet.legend());
    String leading = ScoreTable.title(anyScore().leading());
    BufferedImage curves =
        Curves.draw(MetricsCsv.read(folder.resolve(TrainingRun.METRICS)), leading);
    picture(folder, "samples.png", samples);
    picture(folder, "curves.png", curves);
    ScoreTable scores = table();
    Report report = new Report("structkd distill: " + recipe);
    report.table(scores.headings(), scores.rows()).paragraph(gain());
    report.heading(leading + " by seed").table(headings("seed"), seeds());
    if (!anyScore().details().isEmpty()) {
      report.heading("In parts, mean over the seeds").table(headings(""), parts());
    }
    ConfusionTable confusions = confusions();
    if (!confusions.isEmpty()) {
      BufferedImage drawn = confusions.draw();
      folder.write("confusion.csv", confusions.csv());
      picture(folder, "confusion.png", drawn);
      report.picture("Which classes are taken for which", drawn);
    }
    sizes.ifPresent(
        table -> {
          report.heading("Size").table(table.headings(), table.rows());
          report.paragraph(table.explanation());
        });
    report.picture("Samples", samples).legend(sheet.legend());
    sliders(report, examples);
    report.picture("Curves", curves);
    report.heading("How it was made");
    report.preformatted("./structkd " + settings.command() + "\n\n" + environment());
    report.heading("Recipe").preformatted(folder.recipeText(settings));
    folder.write("report.html", report.html());
  }

  /** From the truth over the student alone to the one that was taught. */
  private void sliders(Report report, List<Map<String, BufferedImage>> examples)
      throws IOException {
    List<String> shown = List.of(SampleSheet.TRUTH, ALONE, taught(recipe));
    report.heading("Samples, one over the other");
    for (int i = 0; i < examples.size(); i++) {
      Map<String, BufferedImage> pictures = new LinkedHashMap<>();
      for (String name : shown) {
        if (examples.get(i).containsKey(name)) {
          pictures.put(name, examples.get(i).get(name));
        }
      }
      report.slider("Sample " + (i + 1), examples.get(i).get(SampleSheet.IMAGE), pictures);
    }
  }

  private static void picture(RunFolder folder, String name, BufferedImage image)
      throws IOException {
    AtomicFile.write(folder.resolve(name), file -> ImageIO.write(image, "png", file));
  }

  private List<String> headings(String first) {
    List<String> headings = new ArrayList<>(List.of(first));
    if (!first.equals("seed")) {
      headings.addAll(teachers.keySet());
    }
    if (!alone.isEmpty()) {
      headings.add("alone");
    }
    if (!taught.isEmpty()) {
      headings.add(recipe);
    }
    if (!alone.isEmpty() && !taught.isEmpty()) {
      headings.add("gain");
    }
    return headings;
  }

  private List<List<String>> seeds() {
    List<List<String>> rows = new ArrayList<>();
    for (int i = 0; i < Math.max(alone.size(), taught.size()); i++) {
      List<String> row = new ArrayList<>(List.of(Long.toString(firstSeed + i)));
      List<Double> values = new ArrayList<>();
      for (List<Trained> students : List.of(alone, taught)) {
        if (!students.isEmpty()) {
          values.add(students.get(i).score().leading().value());
          row.add("%.4f".formatted(values.get(values.size() - 1)));
        }
      }
      if (values.size() == 2) {
        row.add("%+.4f".formatted(values.get(1) - values.get(0)));
      }
      rows.add(row);
    }
    return rows;
  }

  private List<List<String>> parts() {
    List<List<String>> rows = new ArrayList<>();
    for (int part = 0; part < anyScore().details().size(); part++) {
      int at = part;
      Function<Score, Double> number = score -> score.details().get(at).value();
      List<String> row = new ArrayList<>(List.of(anyScore().details().get(part).title()));
      for (List<Trained> column : columns().values()) {
        row.add("%.4f".formatted(summary(column, number).mean()));
      }
      if (!alone.isEmpty() && !taught.isEmpty()) {
        row.add("%+.4f".formatted(gain(number).mean()));
      }
      rows.add(row);
    }
    return rows;
  }

  private static String environment() {
    return Environment.current().entrySet().stream()
        .map(entry -> entry.getKey() + ": " + entry.getValue())
        .collect(Collectors.joining("\n"));
  }
}
