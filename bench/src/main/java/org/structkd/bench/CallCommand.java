package org.structkd.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.RunnerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures what a call costs beside its arithmetic, and the start. */
@Command(
    name = "call",
    description = {
      "Measure losses of maps of two nodes beside a native call that does nothing and an operator of"
          + " LibTorch, and what loading the library takes: about 2 minutes."
    },
    sortOptions = false)
final class CallCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Print this text.")
  private boolean help;

  @Mixin private CsvOption csv;

  @Override
  public Integer call() throws IOException, RunnerException {
    csv.requireWritable();
    CostRun run = new CostRun("call", spec.commandLine().getOut());
    List<String> callees = new ArrayList<>(List.of(CallBenchmark.JNI, CallBenchmark.LIBTORCH));
    callees.addAll(new MeasuredLoss.Ids());
    for (RunResult result : run.run(CallBenchmark.class, Map.of("callee", callees))) {
      String callee = result.getParams().getParam("callee");
      boolean graph = Boolean.parseBoolean(result.getParams().getParam("graph"));
      String provider = callee.equals(CallBenchmark.LIBTORCH) ? CallBenchmark.LIBTORCH : "structkd";
      run.add("forward", provider, callee + (graph ? "-with-gradient" : ""), result);
    }
    for (RunResult result : run.run(LoadBenchmark.class)) {
      String benchmark = result.getParams().getBenchmark();
      boolean called = benchmark.endsWith(".loadAndFirstCall");
      run.add("load", "structkd", called ? "load-and-first-call" : "load", result);
    }
    return run.finish(csv);
  }
}
