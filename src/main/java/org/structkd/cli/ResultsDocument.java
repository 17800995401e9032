package org.structkd.cli;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.structkd.train.DistillationMethod;
import org.structkd.train.Environment;

/** The document of the command results, in Markdown. */
final class ResultsDocument {
  private final Results.Settings settings;
  private final double teacherMiou;
  private final Summary aloneOnValidation;
  private final Map<DistillationMethod, Map<Double, Summary>> search;
  private final Map<String, Double> weights;
  private final Map<String, Summary> comparison;
  private final List<StepCost> costs;
  private final StringBuilder text = new StringBuilder();

  ResultsDocument(
      Results.Settings settings,
      double teacherMiou,
      Summary aloneOnValidation,
      Map<DistillationMethod, Map<Double, Summary>> search,
      Map<String, Double> weights,
      Map<String, Summary> comparison,
      List<StepCost> costs) {
    this.settings = settings;
    this.teacherMiou = teacherMiou;
    this.aloneOnValidation = aloneOnValidation;
    this.search = search;
    this.weights = weights;
    this.comparison = comparison;
    this.costs = costs;
  }

  String markdown() {
    intro();
    comparison();
    search();
    costs();
    return text.toString();
  }

  private void line(String format, Object... arguments) {
    text.append(format.formatted(arguments)).append('\n');
  }

  private void intro() {
    line("# What each loss is worth");
    line("");
    line("Written by `./structkd results`; it trains everything anew, on one thread.");
    line("");
    line(
        "Students of width %d (%s) learn %d steps of %d scenes by Adam, rate %s with polynomial",
        settings.studentWidth(),
        "%,d parameters".formatted(ResultsRun.newStudent(settings, 1).parameterCount()),
        settings.steps(),
        settings.batch(),
        settings.learningRate());
    line("decay. The teacher is the bundled one, test mIoU %.4f.", teacherMiou);
    line("%s, %s.", Environment.processor(), LocalDate.now());
    line("");
    line(
        "What these numbers do not say: the budget is small (`./structkd distill` trains longer), the");
    line(
        "scenes are small and composed by a program, the student is tiny. Which loss leads, and by how");
    line("much, may differ for longer trainings, larger networks and other images.");
    line("");
  }

  private void comparison() {
    line("## Comparison");
    line("");
    line(
        "mIoU on test scenes, mean ± sample standard deviation over %d seeds. A seed sets initial"
            + " weights and scenes,",
        settings.seeds());
    line("the same for every method; the difference to the student alone is taken seed by seed.");
    line("");
    line("| method | weights | mIoU | difference to alone | better in |");
    line("|---|---|---|---|---|");
    Summary alone = comparison.get(ResultsRun.ALONE);
    line("| %s | | %s | | |", ResultsRun.ALONE, alone);
    for (DistillationMethod method : DistillationMethod.values()) {
      Summary score = comparison.get(method.toString());
      Summary difference = score.minus(alone);
      line(
          "| %s | %s | %s | %+.4f ± %.4f | %d of %d |",
          method.toString(),
          weightsOf(method),
          score,
          difference.mean(),
          difference.deviation(),
          Arrays.stream(difference.values()).filter(value -> value > 0).count(),
          settings.seeds());
    }
    line("");
  }

  private String weightsOf(DistillationMethod method) {
    StringBuilder list = new StringBuilder();
    ResultsRun.weightsOf(method, weights)
        .forEach(
            (term, weight) ->
                list.append(list.isEmpty() ? "" : ", ")
                    .append(term)
                    .append(' ')
                    .append(plain(weight)));
    return list.toString();
  }

  private void search() {
    line("## How the weights were chosen");
    line("");
    line(
        "Each loss alone, on validation scenes, with two seeds that the comparison does not use; the");
    line(
        "best mean is taken. Combinations use the weights of their parts, without a search of their");
    line(
        "own. Where the least weight tried is chosen, less may be better still: compare the first row.");
    line("");
    line("| loss | weight | validation mIoU | |");
    line("|---|---|---|---|");
    line("| none: the student alone | | %s | |", aloneOnValidation);
    search.forEach(
        (method, scores) ->
            scores.forEach(
                (weight, score) -> {
                  String term = method.weights().keySet().iterator().next();
                  line(
                      "| %s | %s | %s | %s |",
                      term, plain(weight), score, choice(weight, weights.get(term), scores));
                }));
    line("");
  }

  /** 0.000625, not 6.25E-4. */
  private static String plain(double weight) {
    return new BigDecimal(Double.toString(weight)).stripTrailingZeros().toPlainString();
  }

  private static String choice(double weight, double chosen, Map<Double, Summary> scores) {
    boolean isLeast = scores.keySet().stream().allMatch(other -> weight <= other);
    return weight != chosen ? "" : isLeast ? "chosen, the least tried" : "chosen";
  }

  private void costs() {
    line("## What it costs");
    line("");
    line(
        "CPU time of one thread per training step and of parts of it, median of rounds in which methods");
    line(
        "take turns. The terms' part is their evaluation, in which each kernel computes value and");
    line("gradient; backward then multiplies once per element, which is not counted.");
    line("");
    line("| method | ms per step | teacher | distillation terms | their share |");
    line("|---|---|---|---|---|");
    for (StepCost cost : costs) {
      line(
          "| %s | %.1f | %.1f | %.2f | %.1f %% |",
          cost.name(),
          cost.stepMillis(),
          cost.teacherMillis(),
          cost.termsMillis(),
          100 * cost.share());
    }
  }
}
