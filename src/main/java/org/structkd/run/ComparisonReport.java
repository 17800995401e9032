package org.structkd.run;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;
import org.structkd.metric.Score;
import org.structkd.train.AtomicFile;
import org.structkd.train.Environment;

/**
 * What a comparison found: a document in Markdown, all scores as CSV, a picture.
 *
 * @param settings of the run
 * @param contestants with their scores
 * @param teachers of the first recipe by name
 * @param costs of a step of each contestant; empty where none were measured
 */
record ComparisonReport(
    RunSettings settings,
    List<Contestant> contestants,
    Map<String, Trained> teachers,
    List<StepCost> costs) {

  /** Writes scores.csv, and comparison.md or another document with its picture beside it. */
  void write(RunFolder folder, @Nullable Path document) throws IOException {
    folder.write("scores.csv", csv());
    Path page = document == null ? folder.resolve("comparison.md") : document;
    Path picture = Comparison.pictureOf(page);
    BufferedImage chart = chart();
    AtomicFile.write(picture, file -> ImageIO.write(chart, "png", file));
    byte[] markdown = markdown(picture.getFileName().toString()).getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(page, file -> file.write(markdown));
  }

  private Score.Number leading() {
    return contestants.get(0).scores.get(0).leading();
  }

  /** A row for each student that was scored. */
  String csv() {
    StringBuilder csv = new StringBuilder("recipe,values,split,seed");
    Score kind = contestants.get(0).scores.get(0);
    kind.numbers().forEach(number -> csv.append(',').append(number.name()));
    csv.append('\n');
    for (Contestant contestant : contestants) {
      contestant.searched.forEach(
          (values, scores) ->
              rows(csv, contestant.name, values, "validation", settings.firstSearchSeed(), scores));
      rows(csv, contestant.name, contestant.chosen(), "test", settings.seed(), contestant.scores);
    }
    return csv.toString();
  }

  private static void rows(
      StringBuilder csv,
      String name,
      List<String> values,
      String split,
      long firstSeed,
      List<Score> scores) {
    for (int i = 0; i < scores.size(); i++) {
      csv.append(name).append(",\"").append(String.join(" ", values).replace("\"", "\"\""));
      csv.append("\",").append(split).append(',').append(firstSeed + i);
      scores.get(i).numbers().forEach(number -> csv.append(',').append(number.value()));
      csv.append('\n');
    }
  }

  /** Means with standard deviations of the leading number. */
  private BufferedImage chart() {
    ScoreChart chart = new ScoreChart();
    for (Contestant contestant : contestants) {
      Summary score = contestant.leading();
      chart.add(contestant.name, score.mean(), score.deviation());
    }
    return chart.draw(ScoreTable.title(leading()));
  }

  /**
   * The document.
   *
   * @param picture its file, beside the document
   */
  String markdown(String picture) {
    List<String> lines = new ArrayList<>();
    intro(lines);
    comparison(lines, picture);
    if (!settings.search().isEmpty()) {
      search(lines);
    }
    if (!costs.isEmpty()) {
      costs(lines);
    }
    return String.join("\n", lines) + "\n";
  }

  private void intro(List<String> lines) {
    lines.add("# What each recipe is worth");
    lines.add("");
    lines.add("Written by this command, which trains everything anew:");
    lines.add("");
    lines.add("```");
    lines.add("./structkd " + settings.command().replace(" --", " \\\n  --"));
    lines.add("```");
    lines.add("");
    lines.add(
        "%s, %s, threads: %d.%s"
            .formatted(
                Environment.processor(),
                LocalDate.now(),
                settings.threads(),
                teachers.entrySet().stream()
                    .map(
                        teacher ->
                            " Test score of the %s: %s %.4f."
                                .formatted(
                                    teacher.getKey(),
                                    ScoreTable.title(leading()),
                                    teacher.getValue().score().leading().value()))
                    .collect(Collectors.joining())));
    lines.add("");
    lines.add(
        "What these numbers do not say: which recipe leads, and by how much, may differ for longer");
    lines.add("trainings, larger networks and other data.");
    lines.add("");
  }

  private void comparison(List<String> lines, String picture) {
    lines.add("## Comparison");
    lines.add("");
    lines.add(
        "On test examples, mean ± sample standard deviation over %d seed(s). A seed sets initial"
                .formatted(settings.seeds())
            + " weights and examples,");
    lines.add(
        "the same for every recipe; the difference of "
            + ScoreTable.title(leading())
            + " is taken seed by seed, ± is its standard error.");
    lines.add("");
    List<String> titles =
        contestants.get(0).scores.get(0).numbers().stream().map(ScoreTable::title).toList();
    lines.add(
        "| recipe | chosen | " + String.join(" | ", titles) + " | difference | to | better in |");
    lines.add("|---|---|" + "---|".repeat(titles.size()) + "---|---|---|");
    contestants.forEach(contestant -> lines.add(row(contestant)));
    lines.add("");
    lines.add(
        "![%s of each recipe, mean and standard deviation](%s)"
            .formatted(ScoreTable.title(leading()), picture));
    lines.add("");
  }

  private String row(Contestant contestant) {
    StringBuilder row = new StringBuilder("| " + contestant.name + " | ");
    row.append(String.join(", ", contestant.chosen())).append(" |");
    for (int i = 0; i < contestant.scores.get(0).numbers().size(); i++) {
      row.append(' ').append(ScoreTable.summary(contestant.scores, i)).append(" |");
    }
    Contestant baseline = contestant.baseline;
    if (baseline == null) {
      return row + " | | |";
    }
    Summary difference = contestant.leading().minus(baseline.leading());
    long better =
        Arrays.stream(difference.values())
            .filter(value -> leading().higherIsBetter() ? value > 0 : value < 0)
            .count();
    return row
        + " %s | %s | %d of %d |"
            .formatted(difference.asDifference(), baseline.name, better, settings.seeds());
  }

  private void search(List<String> lines) {
    lines.add("## How values were chosen");
    lines.add("");
    lines.add(
        "By the mean of %s on validation examples, with seeds that the comparison does not use."
            .formatted(ScoreTable.title(leading())));
    lines.add(
        "Where the first or last value tried is chosen, others beyond it may be better still.");
    lines.add("");
    lines.add("| recipe | values | " + ScoreTable.title(leading()) + " | |");
    lines.add("|---|---|---|---|");
    for (Contestant contestant : contestants) {
      contestant.searched.forEach(
          (values, scores) ->
              lines.add(
                  "| %s | %s | %s | %s |"
                      .formatted(
                          contestant.name,
                          String.join(", ", values),
                          ScoreTable.summary(scores, 0),
                          values.equals(contestant.chosen()) ? "chosen" : "")));
    }
    lines.add("");
  }

  private void costs(List<String> lines) {
    lines.add("## What it costs");
    lines.add("");
    lines.add(
        "CPU time of one thread per training step and of parts of it, median of rounds in which"
            + " recipes");
    lines.add(
        "take turns. The terms' part is their evaluation, in which each kernel computes value and");
    lines.add("gradient; backward then multiplies once per element, which is not counted.");
    lines.add("");
    lines.add("| recipe | ms per step | teacher | distillation terms | their share |");
    lines.add("|---|---|---|---|---|");
    for (StepCost cost : costs) {
      lines.add(
          "| %s | %.1f | %.1f | %.2f | %.1f %% |"
              .formatted(
                  cost.name(),
                  cost.stepMillis(),
                  cost.teacherMillis(),
                  cost.termsMillis(),
                  100 * cost.share()));
    }
  }
}
