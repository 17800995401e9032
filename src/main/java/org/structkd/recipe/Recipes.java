package org.structkd.recipe;

import java.util.List;

/** The recipes that come with this library, and those in files of users. */
public final class Recipes {
  private Recipes() {}

  /** {@return the names of the recipes that come with this library, sorted} */
  public static List<String> names() {
    throw new UnsupportedOperationException("not written yet");
  }

  /**
   * Reads a recipe and fills in all defaults. Nothing but the recipe's own file is looked at: data
   * and teachers are those of {@link Experiment}.
   *
   * @param nameOrFile one of {@link #names}, or a YAML file (with a slash or a dot in its name)
   * @param sets values that take the place of those in the file, {@code path=value}, such as {@code
   *     losses.pairwise.weight=1}; the value is YAML; {@code null} takes away what the file gives
   * @param losses terms to add, {@code ID=WEIGHT} or {@code ID:PRESET=WEIGHT}, such as {@code
   *     pairwise:cirkd=0.5}; named by the id, in its usual roles
   * @return the recipe
   * @throws RecipeException if the recipe is missing or makes no sense; says where and why
   */
  public static Recipe load(String nameOrFile, List<String> sets, List<String> losses) {
    throw new UnsupportedOperationException("not written yet");
  }

  /** {@return the recipe of this name or file as it is, see {@link #load(String, List, List)}} */
  public static Recipe load(String nameOrFile) {
    return load(nameOrFile, List.of(), List.of());
  }
}
