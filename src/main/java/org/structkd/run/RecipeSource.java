package org.structkd.run;

import java.util.ArrayList;
import java.util.List;
import org.structkd.recipe.Recipe;
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
    return with(List.of());
  }

  /** {@return the recipe with further values} */
  Recipe with(List<String> more) {
    List<String> all = new ArrayList<>(sets);
    all.addAll(more);
    return Recipes.load(nameOrFile, all, losses);
  }
}
