package org.structkd.bench.report;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.structkd.bench.cases.ListedLoss;
import org.structkd.bench.cases.ListedLoss.Target;

/** Asked and measured, side by side. */
final class TargetTable {
  private static final String OURS = "structkd";

  private final MachineResults results;
  private final List<String> lines = new ArrayList<>();
  private final Set<String> notes = new LinkedHashSet<>();

  TargetTable(MachineResults results) {
    this.results = results;
  }

  /** Lines of markdown: all cases of the losses that were measured on this machine. */
  List<String> lines(Map<String, ListedLoss> losses) {
    lines.add(
        "| case | ms, asked | ms | ratio, asked | ratio | % of limit, asked | % of limit | met |");
    lines.add("|---|---|---|---|---|---|---|---|");
    losses.forEach(this::addLoss);
    if (!notes.isEmpty()) {
      lines.add("");
      lines.addAll(notes);
    }
    return lines;
  }

  private void addLoss(String id, ListedLoss loss) {
    if (loss.cpu() == null || results.cells(id, "full").isEmpty()) {
      return;
    }
    for (ListedLoss.Case listed : loss.cpu().cases()) {
      for (Target target : listed.targets()) {
        String name = id + " " + listed.name();
        Cell ours = results.cell(id, "full", listed.name(), OURS);
        lines.add("| " + name + (hasTime(ours) ? row(target, ours) : unmeasured(target, ours)));
        if (target.missed() != null) {
          notes.add("* " + name + ": " + target.missed());
        }
      }
    }
  }

  private static boolean hasTime(Cell cell) {
    return cell != null && cell.hasTime();
  }

  private static String unmeasured(Target target, Cell cell) {
    return " | %s |  | %s |  | %s |  | %s |"
        .formatted(
            asked(target.ms()),
            askedRatio(target),
            asked(target.percentOfLimit()),
            cell == null ? "not measured" : cell.reason());
  }

  private String row(Target target, Cell ours) {
    double ratio = results.ratio(ours, target.baseline());
    double percent = ours.value("percent_of_limit");
    double memory = ours.value("peak_memory_mib");
    List<String> met = new ArrayList<>();
    add(met, "ratio", target.ratio(), ratio, true);
    add(met, "limit", target.percentOfLimit(), percent, true);
    add(met, "memory", target.mib(), memory, false);
    return " | %s | %s | %s | %s | %s | %s | %s |"
        .formatted(
            asked(target.ms()),
            Numbers.text(ours.value("speed_ms")),
            askedRatio(target),
            Numbers.ratio(ratio),
            asked(target.percentOfLimit()),
            Numbers.text(percent),
            String.join(", ", met));
  }

  private static void add(
      List<String> met, String what, double asked, double measured, boolean least) {
    if (asked == 0) {
      return;
    }
    if (Double.isNaN(measured)) {
      met.add(what + " not measured");
    } else {
      boolean holds = least ? measured >= asked : measured <= asked;
      met.add(what + (holds ? " yes" : " **no**"));
    }
  }

  private static String askedRatio(Target target) {
    String suffix =
        target.baseline().equals(MachineResults.BASELINE) ? "" : " to " + target.baseline();
    return target.ratio() == 0 ? "" : Numbers.ratio(target.ratio()) + suffix;
  }

  private static String asked(double number) {
    return number == 0 ? "" : Numbers.text(number);
  }
}
