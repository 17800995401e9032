package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.NetworkFile;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.run.Comparison;
import org.structkd.run.ConfusionTable;
import org.structkd.run.RecipeSource;
import org.structkd.run.RunException;
import org.structkd.run.SizeTable;
import org.structkd.train.AtomicFile;
import org.structkd.train.Distiller;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Scores a trained network. */
@Command(
    name = "evaluate",
    description = {"Score a trained network by the data and the metric of a recipe.", ""},
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the score was printed",
      "1:native code failed",
      "2:the command line, or a file that it names, makes no sense"
    })
final class Evaluate implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--recipe",
      paramLabel = "NAME|FILE",
      description =
          "Recipe with data, student and metric. Default: recipe.yaml beside the weights, without"
              + " weights skd.")
  private @Nullable String recipe;

  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description = "Weights out of a run folder of distill. Default: the recipe's teachers.")
  private @Nullable Path weights;

  @Option(
      names = "--split",
      paramLabel = "SPLIT",
      defaultValue = "test",
      description =
          "Which examples: ${COMPLETION-CANDIDATES}. Choose settings by validation, report test."
              + " Default: ${DEFAULT-VALUE}.")
  private Split split;

  @Option(
      names = "--size",
      description =
          "Also tell parameters, bytes and the time of a prediction on this machine, by the number"
              + " of threads that is set.")
  private boolean size;

  @Option(
      names = "--confusion",
      paramLabel = "FILE",
      description =
          "CSV to write: how often each class was taken for each. A picture of it goes beside it,"
              + " with .png for the ending.")
  private @Nullable Path confusion;

  @Mixin private RecipeOptions options;
  @Mixin private MachineOptions machine;

  private final ConfusionTable confusions = new ConfusionTable();

  @Override
  public Integer call() throws IOException {
    if (split == Split.TRAIN) {
      throw RunException.refused("--split is train, expected validation or test");
    }
    if (confusion != null) {
      OutputFile.requireWritableWithPicture("--confusion", confusion, ".csv");
    }
    Device device = machine.prepare();
    RecipeSource source = options.of(recipe());
    List<Recipe> trainings = source.load().trainings();
    try (Experiment experiment = source.open(trainings.get(trainings.size() - 1), device)) {
      if (confusion != null && experiment.data().classes().isEmpty()) {
        throw RunException.refused(
            "--confusion: the data of recipe " + experiment.recipe().name() + " have no classes");
      }
      if (weights == null) {
        if (experiment.teachers().isEmpty()) {
          throw RunException.refused(
              "recipe " + experiment.recipe().name() + " has no teacher: --weights FILE is needed");
        }
        experiment
            .teachers()
            .forEach((name, teacher) -> requireFit(name, experiment, teacher, device));
        experiment.teachers().forEach((name, teacher) -> tell(name, experiment, teacher, device));
        writeConfusions();
        return 0;
      }
      try (TensorFile file = TensorFile.open(weights)) {
        Distiller.requireWeights(file);
        tellOf(file, experiment, device);
      }
      writeConfusions();
    }
    return 0;
  }

  /** The network is what its file says, not the recipe: channels may be pruned. */
  private void tellOf(TensorFile file, Experiment experiment, Device device) throws IOException {
    try (TrainableNetwork network = NetworkFile.network(file)) {
      network.to(device);
      requireFit(String.valueOf(weights), experiment, network, device);
      tell(String.valueOf(weights), experiment, network, device);
    }
  }

  private void requireFit(
      String name, Experiment experiment, TappedNetwork network, Device device) {
    try {
      experiment.evaluation(split).requireFit(network, device);
    } catch (IllegalArgumentException e) {
      throw RunException.refused(
          "%s does not fit recipe %s: %s"
              .formatted(name, experiment.recipe().name(), e.getMessage()));
    }
  }

  private String recipe() {
    if (recipe != null) {
      return recipe;
    }
    Path beside = weights == null ? null : weights.resolveSibling("recipe.yaml");
    return beside != null && Files.exists(beside) ? beside.toString() : "skd";
  }

  private void tell(String name, Experiment experiment, TappedNetwork network, Device device) {
    Score score = experiment.evaluation(split).of(network, device);
    if (score.confusion() != null) {
      confusions.add(name, score.confusion());
    }
    PrintWriter out = spec.commandLine().getOut();
    score.details().forEach(number -> out.printf("%-24s %s%n", number.title(), text(number)));
    out.printf(
        "%s%s: %s, %d %s examples%n",
        score.details().isEmpty() ? "" : "\n",
        score.numbers().stream()
            .map(number -> number.title() + " " + text(number))
            .collect(Collectors.joining(", ")),
        name,
        experiment.data().size(split),
        split);
    if (size) {
      SizeTable sizes = new SizeTable(experiment, device);
      sizes.add(name, network, score);
      out.printf("%n%s%s%n", sizes, sizes.explanation());
    }
    out.flush();
  }

  private void writeConfusions() throws IOException {
    if (confusion == null) {
      return;
    }
    if (confusions.isEmpty()) {
      throw RunException.refused("--confusion: this metric judges no classes");
    }
    AtomicFile.write(
        confusion, file -> file.write(confusions.csv().getBytes(StandardCharsets.UTF_8)));
    AtomicFile.write(
        Comparison.pictureOf(confusion), file -> ImageIO.write(confusions.draw(), "png", file));
  }

  private static String text(Score.Number number) {
    return "%.4f%s".formatted(number.value(), number.unit().isEmpty() ? "" : " " + number.unit());
  }
}
