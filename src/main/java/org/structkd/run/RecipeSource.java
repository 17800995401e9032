package org.structkd.run;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.structkd.recipe.Experiment;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.RecipeException;
import org.structkd.recipe.Recipes;

/**
 * Where a recipe of a run comes from.
 *
 * @param nameOrFile of the recipe
 * @param sets values that take the place of its own, {@code path=value}
 * @param losses terms that are added to its own, {@code ID:PRESET=WEIGHT}
 */
public record RecipeSource(String nameOrFile, List<String> sets, List<String> losses) {
  /** {@return the recipe} */
  public Recipe load() {
    return Recipes.load(nameOrFile, sets, losses);
  }

  /**
   * {@return a training of the recipe with all that it names, tried; the caller closes it}
   *
   * @param training one of the recipe's
   * @param device where networks run
   * @throws RecipeException if parts do not fit together; names the line that gave what does not
   * @throws IOException if data or a teacher cannot be read
   */
  public Experiment open(Recipe training, Device device) throws IOException {
    try {
      return Experiment.of(training, device);
    } catch (RecipeException e) {
      throw Recipes.placed(e, training.name(), nameOrFile, sets, losses);
    }
  }

  /** {@return the source with further values} */
  RecipeSource with(List<String> more) {
    List<String> all = new ArrayList<>(sets);
    all.addAll(more);
    return new RecipeSource(nameOrFile, all, losses);
  }
}
