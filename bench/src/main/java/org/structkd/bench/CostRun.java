package org.structkd.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.openjdk.jmh.util.Statistics;
import org.structkd.bench.report.CsvRow;

/** Runs benchmarks of what stands around the losses; prints and collects their figures. */
final class CostRun {
  private final String kernel;
  private final PrintWriter out;
  private final Machine machine = Machine.current();
  private final ForeignLoad others = new ForeignLoad();
  private final List<CsvRow> rows = new ArrayList<>();

  /**
   * A run.
   *
   * @param kernel what the CSV calls it
   */
  CostRun(String kernel, PrintWriter out) {
    this.kernel = kernel;
    this.out = out;
    machine.lines().forEach(out::println);
    out.println();
    out.flush();
  }

  /** Runs all of a class, one JVM after another. */
  Collection<RunResult> run(Class<?> benchmark) throws RunnerException {
    return new Runner(options(benchmark).build()).run();
  }

  /** Runs the benchmark with each of the values that parameters take. */
  Collection<RunResult> run(Class<?> benchmark, Map<String, List<String>> parameters)
      throws RunnerException {
    ChainedOptionsBuilder options = options(benchmark);
    parameters.forEach((name, values) -> options.param(name, values.toArray(new String[0])));
    return new Runner(options.build()).run();
  }

  private static ChainedOptionsBuilder options(Class<?> benchmark) {
    return new OptionsBuilder()
        .include("\\." + benchmark.getSimpleName() + "\\.")
        .shouldFailOnError(true)
        .verbosity(VerboseMode.SILENT);
  }

  /** Takes a time in; {@code what} stands where other kernels have their shape. */
  void add(String mode, String provider, String what, RunResult result) {
    Statistics times = result.getPrimaryResult().getStatistics();
    double p50 = times.getPercentile(50);
    double p20 = times.getPercentile(20);
    double p80 = times.getPercentile(80);
    out.printf(
        Locale.ROOT,
        "%-13s %-10s %-36s %10.4f ms  (%.4f - %.4f)%n",
        kernel,
        provider,
        what,
        p50,
        p20,
        p80);
    out.flush();
    rows.add(row(mode, provider, what, "speed_ms", p50, p20, p80));
  }

  /** Takes another figure in. */
  void add(String mode, String provider, String what, String metric, double value) {
    out.printf(Locale.ROOT, "%-13s %-10s %-36s %10.2f %s%n", kernel, provider, what, value, metric);
    out.flush();
    rows.add(row(mode, provider, what, metric, value, value, value));
  }

  private CsvRow row(
      String mode,
      String provider,
      String what,
      String metric,
      double p50,
      double p20,
      double p80) {
    return machine.row(kernel, provider, mode, metric, "calls", 1, p50, p20, p80, what, "f32", "");
  }

  /**
   * Appends all rows to a file, unless other programs disturbed the run.
   *
   * @return exit status
   */
  int finish(CsvOption csv) throws IOException {
    double load = others.sinceStart();
    if (load > CpuBench.DISTURBING_LOAD) {
      out.printf(Locale.ROOT, "DISTURBED: other programs used %.1f processors; not stored%n", load);
      return 1;
    }
    csv.append(machine, rows, out);
    return 0;
  }
}
