package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.structkd.distributed.ProcessGroup;
import org.structkd.run.Comparison;
import org.structkd.run.Search;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares recipes under equal seeds. */
@Command(
    name = "compare",
    description = {
      "Compare recipes with each other and with what each is without its teacher.",
      "",
      "What --search names is chosen first, on validation examples with two seeds of their own."
          + " Then all are trained with several seeds from the same initial weights and scored on"
          + " test examples, last the time of a step is measured. May be stopped and continued at"
          + " any time.",
      "",
      "Leaves a run folder: the recipes, run.yaml, metrics.csv, scores.csv, comparison.md,"
          + " comparison.png, checkpoints and weights.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the comparison is done",
      "1:native code or the disk failed, or a training diverged",
      "2:the command line, or a file or folder that it names, makes no sense",
      "130, 143:stopped by Ctrl-C or SIGTERM; the state is saved"
    })
final class Compare implements Callable<Integer> {
  private static final int SEEDS = 5;

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..*",
      paramLabel = "RECIPE",
      description = "Recipes that ./structkd recipes lists, or files.")
  private List<String> recipes = new ArrayList<>();

  @Option(
      names = "--search",
      paramLabel = "PATH=VALUE,...",
      description =
          "Values to choose from, in every recipe that has the path, such as"
              + " losses.pairwise.weight=0.04,0.16,0.6; may be given several times: then all"
              + " combinations are tried.")
  private List<String> search = new ArrayList<>();

  @Option(
      names = "--document",
      paramLabel = "FILE",
      description =
          "Document to write, such as docs/results/mine.md, with its picture beside it, mine.png."
              + " Default: comparison.md in the run folder.")
  private @Nullable Path document;

  @Mixin private RunOptions runs;
  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    RankOptions.requireAlone(spec.name(), System.getenv());
    if (document != null) {
      OutputFile.requireWritableWithPicture("--document", document, ".md");
    }
    return runs.execute(
        spec,
        recipes,
        Search.parse(search),
        SEEDS,
        machine,
        ProcessGroup.alone(),
        (sources, settings, context) -> new Comparison(sources, settings, document, context));
  }
}
