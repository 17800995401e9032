package org.structkd.run;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.metric.Score;

/** One of those that a comparison compares: a recipe, or what it is without its teacher. */
final class Contestant {
  /** The name of the contestant's files and rows. */
  final String name;

  /** The contestant that it is compared with; null for one that is a baseline alone. */
  final @Nullable Contestant baseline;

  /** Lists of values to choose from, {@code path=value} each; one list at least. */
  final List<List<String>> grid;

  /** Scores of the search, one for each of its seeds, by list of values. */
  final Map<List<String>, List<Score>> searched = new LinkedHashMap<>();

  /** Scores of the comparison, one for each seed. */
  final List<Score> scores = new ArrayList<>();

  private final RecipeSource source;
  private final boolean alone;

  private Contestant(
      String name,
      @Nullable Contestant baseline,
      List<List<String>> grid,
      RecipeSource source,
      boolean alone) {
    this.name = name;
    this.baseline = baseline;
    this.grid = grid;
    this.source = source;
    this.alone = alone;
    grid.forEach(values -> source.with(values).load()); // every value must make a recipe
  }

  /** A recipe as it is. */
  static Contestant of(
      String name, RecipeSource source, @Nullable Contestant baseline, List<List<String>> grid) {
    return new Contestant(name, baseline, grid, source, false);
  }

  /** {@return the contestant that a recipe is without its teacher} */
  static Contestant alone(String name, RecipeSource source, List<List<String>> grid) {
    return new Contestant(name, null, grid, source, true);
  }

  /** The leading number of the comparison's scores. */
  Summary leading() {
    return ScoreTable.summary(scores, 0);
  }

  /** The values with the best mean of the leading number in the search; of equal ones the first. */
  List<String> chosen() {
    List<String> best = grid.get(0);
    for (List<String> values : searched.keySet()) {
      double difference = searchMean(values) - searchMean(best);
      boolean higher = searched.get(values).get(0).leading().higherIsBetter();
      if (higher ? difference > 0 : difference < 0) {
        best = values;
      }
    }
    return best;
  }

  private double searchMean(List<String> values) {
    return ScoreTable.summary(searched.get(values), 0).mean();
  }

  /** Loads the recipe with some values. */
  LoadedRecipe load(List<String> values, Device device) throws IOException {
    return LoadedRecipe.of(source.with(values), device);
  }

  /**
   * What its students learn.
   *
   * @param loaded by {@link #load}
   * @param files name of their files
   */
  Condition condition(LoadedRecipe loaded, String files) {
    Optional<Condition> distilled = alone ? Optional.empty() : loaded.distilled(files);
    return distilled.or(() -> loaded.alone(files)).orElseThrow();
  }
}
