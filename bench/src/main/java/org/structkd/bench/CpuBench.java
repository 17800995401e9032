package org.structkd.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumMap;
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
import org.structkd.bench.cases.ListedLoss;

/** The losses on the CPU: plans the cells, runs JMH cell by cell, prints the figures. */
final class CpuBench {
  /** Processors that others may use during a case; above, its times say little. */
  static final double DISTURBING_LOAD = 0.3;

  /** Compositions may err by this: theirs rules how exact ours is; a wrong formula errs more. */
  private static final LossCase.Errors PLAUSIBLE = new LossCase.Errors(1e-3, 1e-3);

  /** Precision.FAST promises to err by no more. */
  private static final LossCase.Errors FAST = new LossCase.Errors(5e-3, 5e-3);

  /** Where eager does not fit, its error is unknown; elsewhere it is below this on such inputs. */
  private static final LossCase.Errors WITHOUT_EAGER = new LossCase.Errors(1e-5, 1e-5);

  private final PrintWriter out;
  private final boolean quick;
  private final int attempts;
  private final Limits limits;
  private final List<Figure> figures = new ArrayList<>();
  private final long start = System.nanoTime();
  private double spent; // forecast seconds of the cells that are done
  private double planned;
  private int failed;
  private int disturbed;

  /**
   * A run.
   *
   * @param attempts how often a case is measured while others disturb it
   */
  CpuBench(PrintWriter out, boolean quick, int attempts, Limits limits) {
    this.out = out;
    this.quick = quick;
    this.attempts = attempts;
    this.limits = limits;
  }

  /** A loss at one size, and its cells. */
  private record Case(MeasuredLoss loss, String shape, List<CpuCell> cells) {
    double cost(boolean quick) {
      return cells.stream().mapToDouble(cell -> cell.cost(quick)).sum();
    }
  }

  /** {@return all figures, gaps, failures and what was disturbed among them} */
  List<Figure> figures() {
    return figures;
  }

  int failed() {
    return failed;
  }

  int disturbed() {
    return disturbed;
  }

  /** Measures the given sizes of each loss. */
  void measure(Map<MeasuredLoss, List<String>> shapes) throws IOException {
    List<Case> cases = new ArrayList<>();
    shapes.forEach((loss, list) -> list.forEach(shape -> cases.add(plan(loss, shape))));
    planned = cases.stream().mapToDouble(each -> each.cost(quick)).sum();
    out.printf(Locale.ROOT, "%d cases, about %s%n", cases.size(), duration(planned));
    for (int i = 0; i < cases.size(); i++) {
      Case each = cases.get(i);
      out.printf(
          Locale.ROOT,
          "%n%s %s  [%d of %d, about %s left]%n",
          each.loss,
          each.shape,
          i + 1,
          cases.size(),
          duration(secondsLeft()));
      out.flush();
      measure(each);
      spent += each.cost(quick);
    }
  }

  /** {@return how long the rest takes at the pace so far} */
  private double secondsLeft() {
    double pace = spent == 0 ? 1 : 1e-9 * (System.nanoTime() - start) / spent;
    return pace * (planned - spent);
  }

  private static String duration(double seconds) {
    return seconds < 90
        ? String.format(Locale.ROOT, "%.0f s", seconds)
        : String.format(Locale.ROOT, "%.0f min", seconds / 60);
  }

  /** The value alone: other settings and the authors' way, and aligned maps, would add nothing. */
  private Case plan(MeasuredLoss loss, String text) {
    CaseShape shape = CaseShape.parse(text);
    List<CpuCell> cells = new ArrayList<>();
    ListedLoss.Group listed = loss.listed().cpu();
    List<String> providers = new ArrayList<>();
    providers.addAll(shape.aligned() ? listed.alignedProviders() : listed.providers());
    listed.cases().stream()
        .filter(each -> each.name().equals(text))
        .forEach(each -> providers.removeAll(each.without()));
    providers.removeIf(provider -> provider.startsWith("python-")); // bench/python/cpu_peers.py
    for (String provider : providers) {
      if (!quick || isMain(provider)) {
        cells.add(CpuCell.plan(loss, text, provider, Pass.FULL));
      }
    }
    if (!quick && !shape.aligned()) {
      providers.stream()
          .filter(provider -> isMain(provider) || provider.matches("eager-best|structkd-fast"))
          .forEach(provider -> cells.add(CpuCell.plan(loss, text, provider, Pass.FORWARD)));
    }
    return new Case(loss, text, cells);
  }

  private static boolean isMain(String provider) {
    return provider.equals("eager") || provider.equals("structkd");
  }

  private void measure(Case each) throws IOException {
    for (int attempt = 1; ; attempt++) {
      ForeignLoad others = new ForeignLoad();
      List<Figure> measured = measureOnce(each);
      double load = others.sinceStart();
      if (!(load > DISTURBING_LOAD)) {
        figures.addAll(measured);
        return;
      }
      String reason =
          String.format(Locale.ROOT, "disturbed: others used %.1f processors meanwhile", load);
      out.println("  " + reason + (attempt < attempts ? "; once more" : "; not stored"));
      if (attempt >= attempts) {
        disturbed++;
        for (Figure figure : measured) {
          figures.add(
              figure.isGap()
                  ? figure
                  : Figure.gap(
                      each.loss, each.shape, figure.provider(), Pass.of(figure.mode()), reason));
        }
        return;
      }
    }
  }

  private List<Figure> measureOnce(Case each) throws IOException {
    List<Figure> measured = new ArrayList<>();
    Map<Pass, Figure> eager = new EnumMap<>(Pass.class);
    Path folder = Files.createTempDirectory("structkd-bench");
    try {
      for (CpuCell cell : each.cells) {
        Figure figure;
        if (!cell.gap().isEmpty()) {
          figure = gap(cell, cell.gap());
        } else {
          try {
            figure = run(cell, eager.get(cell.pass()), folder);
          } catch (RunnerException e) {
            failed++;
            figure = gap(cell, "failed: " + rootOf(e).getMessage());
          }
        }
        if (cell.provider().equals("eager")) {
          eager.put(cell.pass(), figure);
        }
        measured.add(figure);
        print(figure, eager.get(cell.pass()));
      }
    } finally {
      deleteAll(folder);
    }
    return measured;
  }

  private static Figure gap(CpuCell cell, String reason) {
    return Figure.gap(cell.loss(), cell.shape(), cell.provider(), cell.pass(), reason);
  }

  private Figure run(CpuCell cell, Figure eager, Path folder) throws RunnerException, IOException {
    LossCase.Errors largest = limitsOf(cell, eager);
    Path plan = folder.resolve("plan");
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include("\\." + LossBenchmark.class.getSimpleName() + "\\.")
            .param("loss", cell.loss().id())
            .param("shape", cell.shape())
            .param("provider", cell.provider())
            .param("mode", cell.pass().id)
            .addProfiler(CaseProfiler.class)
            .jvmArgsAppend(
                "-D" + Truth.FOLDER + "=" + folder,
                "-D" + LossBenchmark.PLAN_FILE + "=" + plan,
                "-D" + LossBenchmark.VALUE_LIMIT + "=" + largest.value(),
                "-D" + LossBenchmark.GRADIENT_LIMIT + "=" + largest.gradient(),
                "-D" + LossBenchmark.ONCE + "=" + cell.isOnce())
            .shouldFailOnError(true)
            .verbosity(VerboseMode.SILENT);
    cell.schedule(options, quick);
    if (cell.provider().equals("eager-malloc")) {
      options.jvm(javaWithTunedMalloc(folder).toString());
    }
    RunResult result = new Runner(options.build()).runSingle();
    String chosen = "";
    if (cell.isOurs()) {
      chosen = Files.readString(plan).strip();
      Files.delete(plan);
    }
    return figure(cell, result, chosen);
  }

  /**
   * The rule of the tests for ours: at most twice eager's error, plus what rounding a result to f32
   * and a few operations cost.
   */
  private static LossCase.Errors limitsOf(CpuCell cell, Figure eager) {
    return switch (cell.provider()) {
      case "structkd" -> {
        if (eager == null || eager.isGap()) {
          yield WITHOUT_EAGER;
        }
        double allowance = 4 * Math.scalb(1.0, -24);
        yield new LossCase.Errors(
            2 * eager.errors().value() + allowance, 2 * eager.errors().gradient() + allowance);
      }
      case "structkd-fast" -> FAST;
      default -> PLAUSIBLE;
    };
  }

  private static Figure figure(CpuCell cell, RunResult result, String plan) {
    Statistics times = result.getPrimaryResult().getStatistics();
    double once = cell.isOnce() ? reported(result, "once_ms") : Double.NaN;
    List<String> note = new ArrayList<>();
    if (!plan.isEmpty()) {
      note.add("form=\"" + plan + '"');
    }
    if (cell.isOnce()) {
      note.add("calls=1");
    }
    return new Figure(
        cell.loss(),
        cell.shape(),
        cell.provider(),
        cell.pass().id,
        cell.isOnce() ? once : times.getPercentile(20),
        cell.isOnce() ? once : times.getPercentile(50),
        cell.isOnce() ? once : times.getPercentile(80),
        reported(result, "memory_mib"),
        new LossCase.Errors(reported(result, "value_error"), reported(result, "gradient_error")),
        cell.loss().formulas().work(CaseShape.parse(cell.shape()), cell.pass(), plan),
        String.join(" ", note));
  }

  /** {@return a number that {@link CaseProfiler} brought} */
  private static double reported(RunResult result, String metric) {
    return result.getSecondaryResults().get(metric).getScore();
  }

  /**
   * A java whose malloc neither maps nor gives back what temporaries take, so no page faults. One
   * arena, as those of further threads hold no block above 64 MB, which glibc then maps anyway.
   */
  private static Path javaWithTunedMalloc(Path folder) throws IOException {
    Path script = folder.resolve("java");
    if (!Files.exists(script)) {
      long threshold = 1L << 30; // above any temporary of the cases that use it
      String java = System.getProperty("java.home") + "/bin/java";
      Files.writeString(
          script,
          ("#!/bin/sh%nexport MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=%d"
                  + " MALLOC_TRIM_THRESHOLD_=%d%nexec '%s' \"$@\"%n")
              .formatted(threshold, threshold, java));
      Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    }
    return script;
  }

  private void print(Figure figure, Figure eager) {
    if (figure.isGap()) {
      out.printf("  %-8s %-13s -  %s%n", figure.mode(), figure.provider(), figure.note());
    } else {
      out.printf(
          Locale.ROOT,
          "  %-8s %-13s %9.3f ms  (%.3f - %.3f)  %s  %6.1f GFLOP/s %5.1f GB/s %5.1f %%  %s"
              + "  errors %.0e %s%s%n",
          figure.mode(),
          figure.provider(),
          figure.p50(),
          figure.p20(),
          figure.p80(),
          eager == null || eager.isGap()
              ? "        "
              : String.format(Locale.ROOT, "%7.2fx", eager.p50() / figure.p50()),
          figure.gflops(),
          figure.gigabytesPerSecond(),
          figure.percentOf(limits),
          Double.isNaN(figure.peakMebibytes())
              ? "memory not measured"
              : String.format(Locale.ROOT, "%7.1f MiB", figure.peakMebibytes()),
          figure.errors().value(),
          figure.mode().equals(Pass.FORWARD.id)
              ? "-"
              : String.format(Locale.ROOT, "%.0e", figure.errors().gradient()),
          figure.note().isEmpty() ? "" : "  " + figure.note());
    }
    out.flush();
  }

  /** JMH hands on what the measuring JVM threw as a suppressed exception. */
  private static Throwable rootOf(Throwable error) {
    if (error.getCause() != null) {
      return rootOf(error.getCause());
    }
    return error.getSuppressed().length > 0 ? rootOf(error.getSuppressed()[0]) : error;
  }

  private static void deleteAll(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
