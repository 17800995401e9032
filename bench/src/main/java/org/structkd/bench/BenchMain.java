package org.structkd.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.structkd.StructkdException;
import org.structkd.bench.cases.ListedLoss;
import org.structkd.bench.report.ReportCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Entry point: reads the command line, has the cases measured, stores the figures. */
@Command(
    name = "structkd bench",
    description = {
      "Measure the losses against the same formulas composed of LibTorch operators.",
      "Each result is compared with f64 first; a wrong one gets no time."
    },
    subcommands = {StepCommand.class, CallCommand.class, ReportCommand.class},
    sortOptions = false)
public final class BenchMain implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Print this text.")
  private boolean help;

  @Option(
      names = "--quick",
      description = "Few sizes, eager and ours, one JVM each: under 3 minutes in all.")
  private boolean quick;

  @Option(
      names = "--loss",
      paramLabel = "L",
      description = "Only this loss: ${COMPLETION-CANDIDATES}.",
      completionCandidates = MeasuredLoss.Ids.class)
  private MeasuredLoss only;

  @Option(
      names = "--case",
      paramLabel = "C",
      description =
          "Only this size, such as 1x512x64x64-aligned; with --loss also one that is not listed.")
  private String onlyCase;

  @Option(
      names = "--device",
      paramLabel = "D",
      defaultValue = "cpu",
      description = "cpu (default), or cuda: this machine's GPU.")
  private Device device;

  @Mixin private CsvOption csv;

  @Option(
      names = "--gate",
      description =
          "Exit with status 1 if a ratio is below its floor in bench/cases.json. A case that others"
              + " disturb is measured once more, then skipped.")
  private boolean gate;

  private enum Device {
    cpu,
    cuda
  }

  private BenchMain() {}

  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return new CommandLine(new BenchMain())
        .registerConverter(MeasuredLoss.class, BenchMain::lossOf);
  }

  private static MeasuredLoss lossOf(String id) {
    try {
      return MeasuredLoss.of(id);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  @Override
  public Integer call() throws IOException {
    csv.requireWritable();
    Map<MeasuredLoss, List<String>> shapes = shapes();
    PrintWriter out = spec.commandLine().getOut();
    try {
      return device == Device.cuda ? onGpu(shapes, out) : onCpu(shapes, out);
    } catch (StructkdException | IOException e) {
      spec.commandLine().getErr().println("structkd bench: " + e.getMessage());
      return 1;
    }
  }

  private int onCpu(Map<MeasuredLoss, List<String>> shapes, PrintWriter out) throws IOException {
    Limits limits = Limits.measure();
    Machine machine = Machine.current();
    machine.withLimits(limits).lines().forEach(out::println);
    CpuBench bench = new CpuBench(out, quick, gate ? 2 : 1, limits);
    bench.measure(shapes);
    Limits after = Limits.measure();
    if (!after.isCloseTo(limits)) {
      out.println();
      out.println("The machine was not steady, limits at the end: " + after);
    }
    store(machine.withLimits(limits.atLeast(after)), bench.figures(), out);
    report(bench.failed(), "failed", out);
    report(bench.disturbed(), "disturbed", out);
    int below = gate ? new Floors(out).check(bench.figures()) : 0;
    boolean undisturbed = gate || bench.disturbed() == 0;
    return bench.failed() == 0 && undisturbed && below == 0 ? 0 : 1;
  }

  private int onGpu(Map<MeasuredLoss, List<String>> shapes, PrintWriter out) throws IOException {
    String missing = CudaGpu.missing();
    if (!missing.isEmpty()) {
      throw new IOException("--device cuda: " + missing);
    }
    CudaGpu gpu = CudaGpu.open();
    CudaBench bench = new CudaBench(gpu, out);
    Machine machine = Machine.current().withDevice(gpu.toString()).withLimits(bench.limits());
    machine.lines().forEach(out::println);
    List<Figure> figures = new ArrayList<>();
    int failed = bench.measure(shapes, figures);
    store(machine, figures, out);
    report(failed, "failed", out);
    return failed == 0 ? 0 : 1;
  }

  private void store(Machine machine, List<Figure> figures, PrintWriter out) throws IOException {
    csv.append(
        machine, figures.stream().flatMap(each -> each.rows(machine).stream()).toList(), out);
  }

  private static void report(int count, String how, PrintWriter out) {
    if (count > 0) {
      out.println();
      out.println(count + " " + how + ".");
    }
  }

  /** What was asked for, in the order of the lists. */
  private Map<MeasuredLoss, List<String>> shapes() {
    Map<MeasuredLoss, List<String>> shapes = new LinkedHashMap<>();
    for (MeasuredLoss loss : losses()) {
      List<String> all = listed(loss, false);
      List<String> chosen = listed(loss, quick);
      if (onlyCase != null) {
        requireShape();
        chosen = only != null || all.contains(onlyCase) ? List.of(onlyCase) : List.of();
      }
      shapes.put(loss, chosen);
    }
    if (shapes.values().stream().allMatch(List::isEmpty)) {
      throw new ParameterException(
          spec.commandLine(), "--case: no loss lists " + onlyCase + "; name one with --loss");
    }
    return shapes;
  }

  private List<String> listed(MeasuredLoss loss, boolean few) {
    ListedLoss.Group group = device == Device.cuda ? loss.listed().gpu() : loss.listed().cpu();
    return group.cases().stream()
        .filter(each -> !each.kernelsOnly() && (each.quick() || !few))
        .map(ListedLoss.Case::name)
        .toList();
  }

  private void requireShape() {
    try {
      CaseShape.parse(onlyCase);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--case: " + e.getMessage());
    }
  }

  private List<MeasuredLoss> losses() {
    return only == null ? MeasuredLoss.all() : List.of(only);
  }
}
