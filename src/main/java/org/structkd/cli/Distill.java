package org.structkd.cli;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.structkd.distributed.ProcessGroup;
import org.structkd.run.Distillation;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains students of a recipe, alone and distilled, and compares. */
@Command(
    name = "distill",
    description = {
      "Train students of a recipe alone and with their teacher, from the same initial weights on"
          + " the same examples, and compare them on test examples. A recipe without a teacher"
          + " trains them alone.",
      "",
      "Leaves a run folder: recipe.yaml, run.yaml, metrics.csv, checkpoints and weights,"
          + " curves.png, samples.png, confusion.csv and confusion.png where answers are classes,"
          + " sizes.csv of a student that is pruned, and report.html, which needs no other file.",
      "",
      "Started by a launcher of several processes, all of them train each student together"
          + " (docs/data-parallel.md).",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:all students are trained",
      "1:native code or the disk failed, or a training diverged",
      "2:the command line, or a file or folder that it names, makes no sense",
      "130, 143:stopped by Ctrl-C or SIGTERM; the state is saved"
    })
final class Distill implements Callable<Integer> {
  private static final int SEEDS = 3;

  @Spec private CommandSpec spec;

  @Option(
      names = "--recipe",
      paramLabel = "NAME|FILE",
      defaultValue = "skd",
      description =
          "What to train: a recipe that ./structkd recipes lists, or a file. Default:"
              + " ${DEFAULT-VALUE}.")
  private String recipe;

  @Mixin private RunOptions runs;
  @Mixin private MachineOptions machine;
  @Mixin private RankOptions ranks;

  @Override
  public Integer call() throws IOException {
    try (ProcessGroup group = ranks.join(System.getenv())) {
      return runs.execute(
          spec,
          List.of(recipe),
          Map.of(),
          SEEDS,
          machine,
          group,
          (sources, settings, context) -> new Distillation(sources.get(0), settings, context));
    }
  }
}
