package org.structkd.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.structkd.StructkdException;
import org.structkd.bench.report.ReportCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Entry point: plans the cases, runs JMH case by case, prints and stores the figures. */
@Command(
    name = "structkd bench",
    description = {
      "Measure the losses (value and gradient) against the same formulas composed of LibTorch"
          + " operators.",
      "Each result is compared with the f64 reference first; a wrong one gets no time."
    },
    subcommands = {StepCommand.class, CallCommand.class, ReportCommand.class},
    sortOptions = false)
public final class BenchMain implements Callable<Integer> {
  /** Processors that others may use during a case; above, its times say little. */
  private static final double DISTURBING_LOAD = 0.3;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Print this text.")
  private boolean help;

  @Option(names = "--quick", description = "Few sizes, one JVM each: under 3 minutes in all.")
  private boolean quick;

  @Option(
      names = "--loss",
      paramLabel = "L",
      converter = Loss.ById.class,
      description = "Only this loss: ${COMPLETION-CANDIDATES}.",
      completionCandidates = Loss.Ids.class)
  private Loss only;

  @Option(
      names = "--device",
      paramLabel = "D",
      defaultValue = "cpu",
      description = "cpu (default), or cuda: this machine's GPU.")
  private Device device;

  @Option(
      names = "--csv",
      paramLabel = "F",
      description = "Append the figures to this file; a relative name starts at the checkout.")
  private Path csv;

  private enum Device {
    cpu,
    cuda
  }

  private BenchMain() {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new BenchMain()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    requireWritableCsv();
    PrintWriter out = spec.commandLine().getOut();
    try {
      String missing = device == Device.cuda ? CudaGpu.missing() : "";
      if (!missing.isEmpty()) {
        spec.commandLine().getErr().println("structkd bench: --device cuda: " + missing);
        return 1;
      }
      Machine machine = Machine.current();
      List<Figure> figures = new ArrayList<>();
      int failed;
      if (device == Device.cuda) {
        CudaGpu gpu = CudaGpu.open();
        machine = machine.withDevice(gpu.toString());
        machine.lines().forEach(out::println);
        failed = new CudaBench(gpu, out).measure(losses(), quick, figures);
      } else {
        machine.lines().forEach(out::println);
        failed = measure(out, figures);
      }
      if (csv != null && !figures.isEmpty()) {
        new CsvFile(csv).append(machine, figures);
        out.println();
        out.println("Appended to " + csv);
      }
      if (failed > 0) {
        out.println();
        out.println(failed + (failed == 1 ? " case" : " cases") + " failed or disturbed.");
      }
      return failed == 0 ? 0 : 1;
    } catch (StructkdException e) {
      spec.commandLine().getErr().println("structkd bench: " + e.getMessage());
      return 1;
    }
  }

  private List<Loss> losses() {
    return only == null ? List.of(Loss.values()) : List.of(only);
  }

  private void requireWritableCsv() {
    if (csv == null) {
      return;
    }
    try {
      new CsvFile(csv).requireWritable();
    } catch (IOException e) {
      throw new ParameterException(spec.commandLine(), "--csv: " + e.getMessage());
    }
  }

  /** Measures all cases that were asked for; returns how many failed or were disturbed. */
  private int measure(PrintWriter out, List<Figure> figures) throws IOException {
    int failed = 0;
    for (Loss loss : losses()) {
      for (String shape : quick ? loss.quickShapes : loss.shapes) {
        out.printf("%n%s %s%n", loss, shape);
        out.flush();
        Path truths = Files.createTempDirectory("structkd-bench");
        try {
          ForeignLoad others = new ForeignLoad();
          List<Figure> measured = measure(loss, shape, truths);
          double load = others.sinceStart();
          print(out, measured);
          if (load > DISTURBING_LOAD) {
            out.printf(
                Locale.ROOT,
                "  DISTURBED: other programs used %.1f processors meanwhile; not stored%n",
                load);
            failed++;
          } else {
            figures.addAll(measured);
          }
        } catch (RunnerException e) {
          out.println("  FAILED: " + rootOf(e).getMessage());
          failed++;
        } finally {
          deleteAll(truths);
        }
      }
    }
    return failed;
  }

  private List<Figure> measure(Loss loss, String shape, Path truths) throws RunnerException {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include("\\." + loss.benchmark.get().getClass().getSimpleName() + "\\.")
            .param("shape", shape)
            .addProfiler(CaseProfiler.class)
            .jvmArgsAppend("-D" + Truth.FOLDER + "=" + truths)
            .shouldFailOnError(true)
            .verbosity(VerboseMode.SILENT);
    if (quick) {
      options
          .forks(1)
          .warmupIterations(1)
          .warmupTime(TimeValue.milliseconds(500))
          .measurementIterations(3)
          .measurementTime(TimeValue.milliseconds(500));
    }
    Collection<RunResult> results = new Runner(options.build()).run();
    return results.stream().map(result -> Figure.of(loss, result)).toList();
  }

  /** A line per provider; the first one is what the others are compared with. */
  private static void print(PrintWriter out, List<Figure> figures) {
    double baseline = figures.get(0).p50();
    for (Figure figure : figures) {
      out.printf(
          Locale.ROOT,
          "  %-9s %9.3f ms  (%.3f - %.3f)  %6.2fx  %s  gradient error %.1e%n",
          figure.provider(),
          figure.p50(),
          figure.p20(),
          figure.p80(),
          baseline / figure.p50(),
          Double.isNaN(figure.peakMebibytes())
              ? "memory not measured"
              : String.format(Locale.ROOT, "%7.1f MiB", figure.peakMebibytes()),
          figure.gradientError());
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
