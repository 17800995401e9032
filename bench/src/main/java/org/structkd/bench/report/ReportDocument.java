package org.structkd.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.structkd.bench.cases.ListedLoss;

/** The generated part of docs/benchmarks.md: a section for each machine. */
final class ReportDocument {
  private static final String OURS = "structkd";

  /** A kernel in a mode, and what it is called here. */
  private record Table(String kernel, String mode, String title) {}

  private final List<MachineResults> machines;
  private final Map<String, ListedLoss> losses;
  private final List<Table> tables = new ArrayList<>();
  private final List<String> charts;
  private final List<String> lines = new ArrayList<>();

  /**
   * A document.
   *
   * @param losses by their ids, in the order of the tables
   * @param charts pictures of the first machine, relative to the document
   */
  ReportDocument(
      List<MachineResults> machines, Map<String, ListedLoss> losses, List<String> charts) {
    this.machines = machines;
    this.losses = losses;
    this.charts = charts;
    losses.forEach((id, loss) -> tables.add(new Table(id, "full", loss.title())));
    losses.forEach(
        (id, loss) -> tables.add(new Table(id, "forward", loss.title() + ", value alone")));
    tables.add(new Table("training_step", "step", "A training step with all losses"));
    tables.add(new Table("call", "forward", "What a call costs apart from the arithmetic"));
    tables.add(new Table("call", "load", "Loading the library"));
  }

  String markdown() {
    for (int i = 0; i < machines.size(); i++) {
      machine(machines.get(i), i == 0 ? charts : List.of());
    }
    if (machines.isEmpty()) {
      lines.add("No results yet.");
    }
    return String.join("\n", lines).strip();
  }

  private void machine(MachineResults results, List<String> pictures) {
    lines.add("## " + results.device());
    lines.add("");
    for (Run run : results.runs()) {
      lines.add("```");
      lines.addAll(run.notes());
      lines.add("```");
      lines.add("");
    }
    for (String picture : pictures) {
      lines.add(
          "![" + picture.replaceAll(".*/|\\.png$", "").replace('-', ' ') + "](" + picture + ")");
      lines.add("");
    }
    lines.add("### Targets");
    lines.add("");
    lines.addAll(new TargetTable(results).lines(losses));
    lines.add("");
    outcomes(results);
    for (Table table : tables) {
      table(results, table);
    }
  }

  /** Wins, ties and losses against whatever is fastest beside us, each size by name. */
  private void outcomes(MachineResults results) {
    List<String> wins = new ArrayList<>();
    List<String> ties = new ArrayList<>();
    List<String> losses = new ArrayList<>();
    for (Table table : tables) {
      if (table.kernel.equals("call")) {
        continue; // nothing else does the same
      }
      for (Cell ours : results.cells(table.kernel, table.mode)) {
        if (ours.provider().equals(OURS) && ours.hasTime()) {
          Cell best = fastestOther(results, ours);
          if (best != null) {
            listFor(ours, best, wins, ties, losses).add(sentence(ours, best));
          }
        }
      }
    }
    lines.add("### Wins, ties and losses");
    lines.add("");
    lines.add(
        "`structkd` against the fastest of all others at that size, whoever it is. A tie: the ranges from the 20th");
    lines.add("to the 80th percentile overlap.");
    lines.add("");
    outcome("Losses", losses);
    outcome("Ties", ties);
    outcome("Wins", wins);
  }

  private void outcome(String title, List<String> sentences) {
    lines.add("**" + title + ": " + sentences.size() + ".** " + String.join("; ", sentences));
    lines.add("");
  }

  private static Cell fastestOther(MachineResults results, Cell ours) {
    Cell best = null;
    for (Cell cell : results.cells(ours.kernel(), ours.mode(), ours.shape())) {
      if (!cell.provider().startsWith(OURS)
          && cell.hasTime()
          && (best == null || cell.value("speed_ms") < best.value("speed_ms"))) {
        best = cell;
      }
    }
    return best;
  }

  private static List<String> listFor(
      Cell ours, Cell other, List<String> wins, List<String> ties, List<String> losses) {
    if (ours.time().p80() < other.time().p20()) {
      return wins;
    }
    return ours.time().p20() > other.time().p80() ? losses : ties;
  }

  private static String sentence(Cell ours, Cell other) {
    String mode = ours.mode().equals("full") ? "" : " (" + ours.mode() + ")";
    return "%s %s%s %s against %s"
        .formatted(
            ours.kernel(),
            ours.shape(),
            mode,
            Numbers.ratio(other.value("speed_ms") / ours.value("speed_ms")),
            other.provider());
  }

  private void table(MachineResults results, Table table) {
    List<Cell> cells = results.cells(table.kernel, table.mode);
    if (cells.isEmpty()) {
      return;
    }
    lines.add("### " + table.title);
    lines.add("");
    List<Column> columns = Column.of(cells);
    StringBuilder header = new StringBuilder("| case | provider | ms | ratio to eager |");
    columns.forEach(column -> header.append(' ').append(column.title).append(" |"));
    lines.add(header.toString());
    lines.add("|---|---|---|---|" + "---|".repeat(columns.size()));
    for (String shape : cells.stream().map(Cell::shape).distinct().toList()) {
      for (Cell cell : results.cells(table.kernel, table.mode, shape)) {
        String ratio = Numbers.ratio(results.ratio(cell, MachineResults.BASELINE));
        StringBuilder line = new StringBuilder();
        line.append("| %s | %s | %s | %s |".formatted(shape, cell.provider(), time(cell), ratio));
        columns.forEach(column -> line.append(' ').append(column.text(cell)).append(" |"));
        lines.add(line.toString());
      }
    }
    lines.add("");
  }

  private static String time(Cell cell) {
    if (!cell.has("speed_ms") && !Double.isNaN(cell.value("overhead_percent"))) {
      return "";
    }
    if (!cell.hasTime()) {
      return cell.reason();
    }
    CsvRow time = cell.time();
    return "%s (%s–%s)"
        .formatted(Numbers.text(time.p50()), Numbers.text(time.p20()), Numbers.text(time.p80()));
  }
}
