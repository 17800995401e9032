package org.structkd.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** Asked and measured, side by side. */
final class TargetTable {
  private static final String OURS = "structkd";

  private final MachineResults results;
  private final Properties explanations;

  TargetTable(MachineResults results, Properties explanations) {
    this.results = results;
    this.explanations = explanations;
  }

  /** Lines of markdown. */
  List<String> lines(List<Target> targets) {
    List<String> lines = new ArrayList<>();
    lines.add(
        "| case | ms, asked | ms | ratio, asked | ratio | % of limit, asked | % of limit | met |");
    lines.add("|---|---|---|---|---|---|---|---|");
    List<String> notes = new ArrayList<>();
    for (Target target : targets) {
      Cell ours = results.cell(target.kernel(), "full", target.shape(), OURS);
      lines.add(ours == null || !ours.hasTime() ? unmeasured(target, ours) : row(target, ours));
      String explanation = explanation(target);
      if (!explanation.isEmpty()) {
        notes.add("* " + name(target) + ": " + explanation);
      }
    }
    if (!notes.isEmpty()) {
      lines.add("");
      lines.addAll(notes.stream().distinct().toList());
    }
    return lines;
  }

  private static String unmeasured(Target target, Cell cell) {
    return "| %s | %s |  | %s |  | %s |  | %s |"
        .formatted(
            name(target),
            asked("", target.aboutMilliseconds(), ""),
            askedRatio(target),
            asked("", target.leastPercent(), ""),
            cell == null ? "not measured" : cell.reason());
  }

  private String row(Target target, Cell ours) {
    double ratio = results.ratio(ours, target.baseline());
    double percent = ours.value("percent_of_limit");
    double memory = ours.value("peak_memory_mib");
    List<String> met = new ArrayList<>();
    add(met, "ratio", target.leastRatio(), ratio, true);
    add(met, "limit", target.leastPercent(), percent, true);
    add(met, "memory", target.mostMebibytes(), memory, false);
    return "| %s | %s | %s | %s | %s | %s | %s | %s |"
        .formatted(
            name(target),
            asked("", target.aboutMilliseconds(), ""),
            Numbers.text(ours.value("speed_ms")),
            askedRatio(target),
            Numbers.ratio(ratio),
            asked("", target.leastPercent(), ""),
            Numbers.text(percent),
            String.join(", ", met));
  }

  private static void add(
      List<String> met, String what, double asked, double measured, boolean least) {
    if (Double.isNaN(asked)) {
      return;
    }
    if (Double.isNaN(measured)) {
      met.add(what + " not measured");
    } else {
      boolean holds = least ? measured >= asked : measured <= asked;
      met.add(what + (holds ? " yes" : " **no**"));
    }
  }

  private static String name(Target target) {
    return target.kernel() + " " + target.shape();
  }

  private static String askedRatio(Target target) {
    String suffix =
        target.baseline().equals(MachineResults.BASELINE) ? "" : " to " + target.baseline();
    return Double.isNaN(target.leastRatio()) ? "" : Numbers.ratio(target.leastRatio()) + suffix;
  }

  private static String asked(String before, double number, String after) {
    return Double.isNaN(number) ? "" : before + Numbers.text(number) + after;
  }

  private String explanation(Target target) {
    String size = target.kernel() + "/" + target.shape();
    return explanations.getProperty(
        size + "/" + target.baseline(), explanations.getProperty(size, ""));
  }
}
