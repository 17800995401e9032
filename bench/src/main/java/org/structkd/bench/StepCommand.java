package org.structkd.bench;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.RunnerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a training step. */
@Command(
    name = "step",
    description = {
      "Measure a training step of a ResNet-18 PSPNet (forward, losses, backward), with labels alone"
          + " and with all measured losses: about 4 minutes."
    },
    sortOptions = false)
final class StepCommand implements Callable<Integer> {
  private static final String SUPERVISED = "supervised";

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
    CostRun run = new CostRun("training_step", spec.commandLine().getOut());
    Map<String, Double> losses = new HashMap<>();
    double supervised = 0;
    for (RunResult result : run.run(TrainingStepBenchmark.class)) {
      String provider = result.getParams().getParam("provider");
      String shape = result.getParams().getParam("shape");
      double median = result.getPrimaryResult().getStatistics().getPercentile(50);
      if (result.getParams().getBenchmark().endsWith(".step")) {
        run.add("step", provider, shape, result);
        supervised = provider.equals(SUPERVISED) ? median : supervised;
      } else if (!provider.equals(SUPERVISED)) {
        run.add("step", provider, shape + "-losses-alone", result);
        losses.put(provider, median);
      }
    }
    for (String provider : new String[] {"eager", "structkd"}) {
      double share = 100 * losses.get(provider) / supervised;
      run.add("step", provider, "losses-of-supervised-step", "overhead_percent", share);
    }
    return run.finish(csv);
  }
}
