package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import org.bytedeco.pytorch.Device;
import org.structkd.data.ImageFiles;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.run.RecipeSource;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Lists, shows and checks recipes. */
@Command(
    name = "recipes",
    description = {"List the recipes that come with structkd, show or check one.", ""},
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {"0:all is well", "1:native code failed", "2:the recipe makes no sense"})
final class RecipesCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    PrintWriter out = spec.commandLine().getOut();
    int width = Recipes.names().stream().mapToInt(String::length).max().orElse(0);
    for (String name : Recipes.names()) {
      Recipe recipe = Recipes.load(name);
      out.printf("%-" + width + "s  %s%n", name, recipe.summary());
      if (!recipe.source().isEmpty()) {
        out.printf("%" + width + "s  %s%n", "", recipe.source());
      }
    }
    out.flush();
  }

  @Command(
      name = "show",
      description = {"Print a recipe in YAML, complete with all defaults.", ""},
      mixinStandardHelpOptions = true)
  void show(
      @Parameters(paramLabel = "NAME|FILE", description = "Which.") String recipe,
      @Mixin RecipeOptions options) {
    PrintWriter out = spec.commandLine().getOut();
    out.print(options.of(recipe).load().toYaml());
    out.flush();
  }

  @Command(
      name = "check",
      description = {
        "Check a recipe: all its values, that data and teachers are there, and that networks, losses"
            + " and metric fit, by running them once. Of image files it reads one batch to train on"
            + " and one photograph to validate on; check-data reads all. Writes nothing.",
        ""
      },
      mixinStandardHelpOptions = true)
  void check(
      @Parameters(paramLabel = "FILE|NAME", description = "Which.") String recipe,
      @Mixin RecipeOptions options,
      @Mixin MachineOptions machine)
      throws IOException {
    Device device = machine.prepare();
    RecipeSource source = options.of(recipe);
    PrintWriter out = spec.commandLine().getOut();
    boolean readsFiles = false;
    for (Recipe training : source.load().trainings()) {
      try (Experiment experiment = source.open(training, device)) {
        readsFiles |= experiment.data() instanceof ImageFiles;
        out.printf(
            "%s: %d steps, terms %s%n",
            training.name(),
            training.train().steps(),
            String.join(", ", training.losses().keySet()));
      }
    }
    out.printf("%s makes sense%n", recipe);
    if (readsFiles) {
      out.printf("of its photographs a batch was read: ./structkd check-data reads them all%n");
    }
    out.flush();
  }
}
