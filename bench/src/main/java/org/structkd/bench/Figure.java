package org.structkd.bench;

import java.util.ArrayList;
import java.util.List;
import org.structkd.bench.report.CsvRow;

/**
 * What was measured of one loss at one size with one provider, or why nothing was.
 *
 * @param mode a {@link Pass}
 * @param p20 milliseconds: a fifth of the calls took at most as long
 * @param p50 milliseconds, median; NaN in a gap
 * @param p80 milliseconds
 * @param peakMebibytes peak memory of a call beside inputs and gradient; NaN: not measured
 * @param errors against f64
 * @param work least work of the algorithm
 * @param note words for the CSV's configuration
 */
record Figure(
    MeasuredLoss loss,
    String shape,
    String provider,
    String mode,
    double p20,
    double p50,
    double p80,
    double peakMebibytes,
    LossCase.Errors errors,
    Work work,
    String note) {

  static Figure gap(MeasuredLoss loss, String shape, String provider, Pass pass, String reason) {
    double none = Double.NaN;
    String note = "gap=\"" + reason.replace('"', '\'') + '"';
    return new Figure(
        loss,
        shape,
        provider,
        pass.id,
        none,
        none,
        none,
        none,
        new LossCase.Errors(none, none),
        new Work(none, none, none, none, none),
        note);
  }

  /** {@return whether maps are bf16, which the name of a provider tells} */
  static boolean isBf16(String provider) {
    return provider.endsWith("-bf16");
  }

  boolean isGap() {
    return Double.isNaN(p50);
  }

  double gflops() {
    return 1e-6 * work.operations() / p50;
  }

  double gigabytesPerSecond() {
    return 1e-6 * work.bytes() / p50;
  }

  double percentOf(Limits limits) {
    return 1e5 * work.limitSeconds(limits) / p50;
  }

  /** What the CSV holds of it: a row for each metric, one without values for a gap. */
  List<CsvRow> rows(Machine machine) {
    List<CsvRow> rows = new ArrayList<>();
    rows.add(row("speed_ms", p50, p20, p80, machine));
    if (isGap()) {
      return rows;
    }
    add("peak_memory_mib", peakMebibytes, machine, rows);
    add("value_error", errors.value(), machine, rows);
    if (!mode.equals(Pass.FORWARD.id)) {
      add("gradient_error", errors.gradient(), machine, rows);
    }
    add("gflops", gflops(), machine, rows);
    add("gbytes_per_s", gigabytesPerSecond(), machine, rows);
    add("percent_of_limit", percentOf(machine.limits()), machine, rows);
    return rows;
  }

  private void add(String metric, double value, Machine machine, List<CsvRow> rows) {
    if (!Double.isNaN(value)) {
      rows.add(row(metric, value, value, value, machine));
    }
  }

  private CsvRow row(String metric, double middle, double low, double high, Machine machine) {
    return machine.row(
        loss.id(),
        provider,
        mode,
        metric,
        loss.listed().x(),
        loss.x(CaseShape.parse(shape)),
        middle,
        low,
        high,
        shape,
        isBf16(provider) ? "bf16" : "f32",
        note);
  }
}
