package org.structkd.cli;

import java.util.ArrayList;
import java.util.List;
import org.structkd.run.RecipeSource;
import picocli.CommandLine.Option;

/** What differs from a recipe as it is written. */
final class RecipeOptions {
  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description =
          "Value of the recipe to use in place of its own, such as losses.pairwise.weight=1; may be"
              + " given several times. recipes show NAME prints all there are.")
  private List<String> sets = new ArrayList<>();

  @Option(
      names = "--loss",
      paramLabel = "ID[:PRESET]=WEIGHT",
      description =
          "Loss to add to the recipe's, such as global_structural:standard=1; may be given several times.")
  private List<String> losses = new ArrayList<>();

  List<String> sets() {
    return sets;
  }

  /** The recipe of a name or file with what was given. */
  RecipeSource of(String nameOrFile) {
    return new RecipeSource(nameOrFile, sets, losses);
  }
}
