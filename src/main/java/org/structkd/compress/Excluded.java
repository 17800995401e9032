package org.structkd.compress;

import java.util.List;
import java.util.Set;
import org.structkd.internal.Words;

/** Weights that a compression leaves as they are, told by what their names begin with. */
final class Excluded {
  private Excluded() {}

  /**
   * Removes them.
   *
   * @param owner as sentences about it begin
   * @param weights names of all, which change
   * @param beginnings of the names of those that are left out
   * @throws IllegalArgumentException if no name begins so
   */
  static void removeFrom(String owner, Set<String> weights, List<String> beginnings) {
    for (String beginning : beginnings) {
      if (!weights.removeIf(weight -> weight.startsWith(beginning))) {
        throw new IllegalArgumentException(
            "%s: no weight begins with the excluded \"%s\", there are: %s"
                .formatted(owner, beginning, Words.listNearest(beginning, weights)));
      }
    }
  }
}
