package org.structkd.bench;

import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.RunnerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures a training step. */
@Command(
    name = "step",
    description = {
      "Measure a training step of a ResNet-18 PSPNet (forward, losses, backward), with labels alone"
          + " and with losses of distillation: about 4 minutes for the default crop and all losses."
    },
    sortOptions = false)
final class StepCommand implements Callable<Integer> {
  private static final String SUPERVISED = "supervised";
  private static final List<String> ALL = List.of(SUPERVISED, "eager", "structkd");
  private static final Pattern CROP = Pattern.compile("([1-9]\\d{1,3})x([1-9]\\d{1,3})");

  /** Eight squares of labels a side, at the stride of the network's outputs. */
  private static final long MULTIPLE = 64;

  @Spec private CommandSpec spec;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Print this text.")
  private boolean help;

  @Option(
      names = "--crop",
      paramLabel = "HxW",
      defaultValue = "512x512",
      description = {
        "Height and width of the two images, multiples of 64: ${DEFAULT-VALUE}.",
        "512x1024 is that of CIRKD's trainings on Cityscapes."
      })
  private String crop;

  @Option(
      names = "--providers",
      paramLabel = "P,P",
      split = ",",
      defaultValue = SUPERVISED + ",eager,structkd",
      description = {
        "By whom losses are computed: ${DEFAULT-VALUE}.",
        "The graph of eager takes memory by the square of the crop."
      })
  private List<String> providers;

  @Option(
      names = "--losses",
      paramLabel = "ID,ID",
      split = ",",
      completionCandidates = MeasuredLoss.Ids.class,
      description = {
        "Losses of the step, such as pixelwise,pairwise, those of the recipe skd, of",
        "${COMPLETION-CANDIDATES}. Default: all."
      })
  private List<String> losses = List.of();

  @Mixin private CsvOption csv;

  @Override
  public Integer call() throws IOException, RunnerException {
    requireSensible();
    csv.requireWritable();
    CostRun run = new CostRun("training_step", spec.commandLine().getOut());
    Map<String, Double> alone = new LinkedHashMap<>();
    String ids = TrainingStepBenchmark.joined(losses);
    String of = losses.isEmpty() ? "" : "-of-" + ids;
    double supervised = 0;
    for (RunResult result :
        run.run(
            TrainingStepBenchmark.class,
            Map.of("shape", List.of("2x3x" + crop), "provider", providers, "ids", List.of(ids)))) {
      String provider = result.getParams().getParam("provider");
      String shape = result.getParams().getParam("shape");
      double median = result.getPrimaryResult().getStatistics().getPercentile(50);
      if (result.getParams().getBenchmark().endsWith(".step")) {
        run.add("step", provider, provider.equals(SUPERVISED) ? shape : shape + of, result);
        supervised = provider.equals(SUPERVISED) ? median : supervised;
      } else if (!provider.equals(SUPERVISED)) {
        run.add("step", provider, shape + "-losses-alone" + of, result);
        alone.put(provider, median);
      }
    }
    for (String provider : alone.keySet()) {
      double share = 100 * alone.get(provider) / supervised;
      run.add(
          "step", provider, crop + "-losses-of-supervised-step" + of, "overhead_percent", share);
    }
    return run.finish(csv);
  }

  private void requireSensible() {
    Matcher sides = CROP.matcher(crop);
    if (!sides.matches()
        || Long.parseLong(sides.group(1)) % MULTIPLE != 0
        || Long.parseLong(sides.group(2)) % MULTIPLE != 0) {
      throw new ParameterException(
          spec.commandLine(),
          "--crop is " + crop + ", expected height x width in multiples of " + MULTIPLE);
    }
    Set<String> given = new HashSet<>();
    for (String id : losses) {
      if (!new MeasuredLoss.Ids().contains(id) || !given.add(id)) {
        throw new ParameterException(
            spec.commandLine(),
            "--losses has %s%s, expected different ones of %s"
                .formatted(id, given.contains(id) ? " twice" : "", new MeasuredLoss.Ids()));
      }
    }
    if (!ALL.containsAll(providers) || !providers.contains(SUPERVISED)) {
      throw new ParameterException(
          spec.commandLine(),
          "--providers is %s, expected %s and some of %s".formatted(providers, SUPERVISED, ALL));
    }
  }
}
