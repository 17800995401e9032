package org.structkd.cli;

import java.util.ArrayList;
import java.util.List;

/** What networks are worth, side by side. */
final class ScoreTable {
  static final List<String> HEADINGS =
      List.of("", "parameters", "mIoU", "pixel accuracy", "ms per step");

  private final List<List<String>> rows = new ArrayList<>();

  /** Adds a network; NaN as time of a step for one that was not trained here. */
  void add(String name, long parameters, Summary miou, Summary accuracy, double millisPerStep) {
    rows.add(
        List.of(
            name,
            "%,d".formatted(parameters),
            miou.toString(),
            accuracy.toString(),
            Double.isNaN(millisPerStep) ? "" : "%.1f".formatted(millisPerStep)));
  }

  List<List<String>> rows() {
    return rows;
  }

  /** As text in columns, the first one flush left. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    List<List<String>> all = new ArrayList<>();
    all.add(HEADINGS);
    all.addAll(rows);
    for (List<String> row : all) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < row.size(); column++) {
        int width = width(all, column);
        line.append(column == 0 ? "" : "  ");
        line.append(("%" + (column == 0 ? "-" : "") + width + "s").formatted(row.get(column)));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  private static int width(List<List<String>> rows, int column) {
    return rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(1);
  }
}
