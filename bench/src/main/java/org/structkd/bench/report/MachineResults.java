package org.structkd.bench.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** What was measured on one machine: of every kernel and mode its newest run. */
final class MachineResults {
  /** The provider that others are compared with. */
  static final String BASELINE = "eager";

  private final String device;
  private final List<Cell> cells;
  private final List<Run> runs;

  private MachineResults(String device, List<Cell> cells, List<Run> runs) {
    this.device = device;
    this.cells = cells;
    this.runs = runs;
  }

  /** Sorts runs by machine: the one with most kernels comes first, of such the newest figures. */
  static List<MachineResults> of(List<Run> runs) {
    Map<String, List<Run>> byDevice = new TreeMap<>();
    for (Run run : runs) {
      byDevice.computeIfAbsent(run.device(), device -> new ArrayList<>()).add(run);
    }
    return byDevice.entrySet().stream()
        .map(entry -> newestOf(entry.getKey(), entry.getValue()))
        .sorted(
            Comparator.comparing(MachineResults::kernels)
                .thenComparing(MachineResults::newest)
                .reversed())
        .toList();
  }

  /** Figures are compared within a run: a kernel's cells are never mixed from several. */
  private static MachineResults newestOf(String device, List<Run> runs) {
    List<Run> sorted = runs.stream().sorted(Comparator.comparing(Run::timestamp)).toList();
    Map<String, Run> newest = new TreeMap<>();
    for (Run run : sorted) {
      run.rows().forEach(row -> newest.put(family(row), run));
    }
    Map<String, Cell> cells = new LinkedHashMap<>();
    Set<Run> used = new LinkedHashSet<>();
    for (Run run : sorted) {
      for (CsvRow row : run.rows()) {
        if (newest.get(family(row)) == run) {
          used.add(run);
          String key = String.join(" ", row.kernel(), row.mode(), row.shape(), row.provider());
          cells.computeIfAbsent(key, k -> new Cell(row)).add(row);
        }
      }
    }
    return new MachineResults(device, List.copyOf(cells.values()), List.copyOf(used));
  }

  /** Python's figures come from a program of their own, and so from a run of their own. */
  private static String family(CsvRow row) {
    return row.kernel()
        + " "
        + row.mode()
        + (row.provider().startsWith("python-") ? " python" : "");
  }

  String device() {
    return device;
  }

  /** The runs that the cells come from, in the order of time. */
  List<Run> runs() {
    return runs;
  }

  private long kernels() {
    return cells.stream().map(Cell::kernel).distinct().count();
  }

  private String newest() {
    return runs.get(runs.size() - 1).timestamp();
  }

  List<Cell> cells(String kernel, String mode) {
    return cells.stream()
        .filter(cell -> cell.kernel().equals(kernel) && cell.mode().equals(mode))
        .toList();
  }

  /** The cells of one size, in the order of the file. */
  List<Cell> cells(String kernel, String mode, String shape) {
    return cells(kernel, mode).stream().filter(cell -> cell.shape().equals(shape)).toList();
  }

  /** Null if this was not measured. */
  Cell cell(String kernel, String mode, String shape, String provider) {
    return cells(kernel, mode, shape).stream()
        .filter(cell -> cell.provider().equals(provider))
        .findFirst()
        .orElse(null);
  }

  /** How many times faster than another provider at the same size; NaN if one has no time. */
  double ratio(Cell cell, String baseline) {
    Cell other = cell(cell.kernel(), cell.mode(), cell.shape(), baseline);
    return other == null ? Double.NaN : other.value("speed_ms") / cell.value("speed_ms");
  }
}
