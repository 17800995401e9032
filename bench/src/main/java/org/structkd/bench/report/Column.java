package org.structkd.bench.report;

import java.util.Arrays;
import java.util.List;

/** What a table shows beside times, where there is something to show. */
enum Column {
  MEMORY("peak_memory_mib", "memory, MiB"),
  VALUE_ERROR("value_error", "value error"),
  GRADIENT_ERROR("gradient_error", "gradient error"),
  LIMIT("percent_of_limit", "% of limit"),
  OVERHEAD("overhead_percent", "% of the supervised step");

  final String metric;
  final String title;

  Column(String metric, String title) {
    this.metric = metric;
    this.title = title;
  }

  static List<Column> of(List<Cell> cells) {
    return Arrays.stream(values())
        .filter(column -> cells.stream().anyMatch(cell -> cell.has(column.metric)))
        .toList();
  }

  String text(Cell cell) {
    double value = cell.value(metric);
    return metric.endsWith("_error") ? Numbers.error(value) : Numbers.text(value);
  }
}
