package org.structkd.run;

import java.util.List;
import java.util.Map;

/**
 * What a run depends on beside its recipes; run.yaml of its folder.
 *
 * @param command as it was given, without the program's name; its first word is the command's name
 * @param recipes names of the recipes, whose files are in the folder, too
 * @param seed of the first student; the others have the numbers after it
 * @param seeds how many students each recipe gets
 * @param threads of LibTorch and the kernels
 * @param search values to choose from by path in the recipes; empty where nothing is searched
 * @param tensorboard whether trainings are also written for TensorBoard
 */
public record RunSettings(
    String command,
    List<String> recipes,
    long seed,
    int seeds,
    int threads,
    Map<String, List<String>> search,
    boolean tensorboard) {
  /** Greatest number of seeds: more tell no more. */
  private static final int MAX_SEEDS = 100;

  /** Those of the search, which begin after the seeds of the run, are numbers, too. */
  private static final long LAST_SEED = Long.MAX_VALUE - 2 * MAX_SEEDS;

  /** Checks the numbers; a file may lack any of them. */
  public RunSettings {
    if (command == null || recipes == null || search == null) {
      throw new IllegalArgumentException("command, recipes or search is missing");
    }
    if (seeds < 1 || seeds > MAX_SEEDS) {
      throw new IllegalArgumentException("seeds must be 1 to " + MAX_SEEDS + " but is " + seeds);
    }
    if (seed > LAST_SEED) {
      throw new IllegalArgumentException("seed must be at most " + LAST_SEED + " but is " + seed);
    }
    recipes = List.copyOf(recipes);
  }

  /** A run that writes nothing for TensorBoard. */
  public RunSettings(
      String command,
      List<String> recipes,
      long seed,
      int seeds,
      int threads,
      Map<String, List<String>> search) {
    this(command, recipes, seed, seeds, threads, search, false);
  }

  /** {@return the first seed of the search, behind all that students of the run may have} */
  long firstSearchSeed() {
    return seed + MAX_SEEDS;
  }

  /** {@return the command's name} */
  public String name() {
    return command.split(" ", 2)[0];
  }

  /** {@return the same with other seeds} */
  public RunSettings withSeeds(long first, int count) {
    return new RunSettings(command, recipes, first, count, threads, search, tensorboard);
  }

  /** {@return the same, written for TensorBoard, too} */
  public RunSettings withTensorboard() {
    return new RunSettings(command, recipes, seed, seeds, threads, search, true);
  }
}
