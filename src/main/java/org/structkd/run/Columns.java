package org.structkd.run;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** A table as text in columns, the first one flush left. */
final class Columns {
  private Columns() {}

  static String of(List<String> headings, List<List<String>> rows) {
    List<List<String>> all = new ArrayList<>(rows);
    all.add(0, headings);
    List<String> lines = new ArrayList<>();
    for (List<String> row : all) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < row.size(); column++) {
        int width = width(all, column);
        line.append(column == 0 ? "" : "  ");
        line.append(("%" + (column == 0 ? "-" : "") + width + "s").formatted(row.get(column)));
      }
      lines.add(line.toString().stripTrailing() + "\n");
    }
    return lines.stream().collect(Collectors.joining());
  }

  private static int width(List<List<String>> rows, int column) {
    return rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(1);
  }
}
