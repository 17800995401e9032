package org.structkd.bench.report;

import java.util.HashMap;
import java.util.Map;

/** All metrics of one provider at one size of one kernel in one mode. */
final class Cell {
  private final CsvRow first;
  private final Map<String, CsvRow> metrics = new HashMap<>();

  Cell(CsvRow first) {
    this.first = first;
  }

  void add(CsvRow row) {
    metrics.put(row.metric(), row);
  }

  String kernel() {
    return first.kernel();
  }

  String mode() {
    return first.mode();
  }

  String shape() {
    return first.shape();
  }

  String provider() {
    return first.provider();
  }

  long x() {
    return first.x();
  }

  /** Whether it has a time: a gap and a failed cell have none. */
  boolean hasTime() {
    return !Double.isNaN(value("speed_ms"));
  }

  boolean has(String metric) {
    return metrics.containsKey(metric);
  }

  /** The median of a metric; NaN if there is none. */
  double value(String metric) {
    CsvRow row = metrics.get(metric);
    return row == null ? Double.NaN : row.p50();
  }

  /** Milliseconds: the median and the two percentiles beside it. */
  CsvRow time() {
    return metrics.get("speed_ms");
  }

  /** Why there is no time. */
  String reason() {
    return metrics.getOrDefault("speed_ms", first).reason();
  }
}
