package org.structkd.compress;

import java.util.List;
import java.util.Set;
import org.structkd.internal.Words;

/** What a compression leaves as it is, told by what its name begins with. */
final class Excluded {
  private Excluded() {}

  /**
   * Removes them.
   *
   * @param owner as sentences about it begin
   * @param what it is that has names
   * @param names of all, which change
   * @param beginnings of the names of those that are left out
   * @throws IllegalArgumentException if no name begins so
   */
  static void removeFrom(String owner, String what, Set<String> names, List<String> beginnings) {
    for (String beginning : beginnings) {
      if (!names.removeIf(name -> name.startsWith(beginning))) {
        throw new IllegalArgumentException(
            "%s: no %s begins with the excluded \"%s\", there are: %s"
                .formatted(owner, what, beginning, Words.listNearest(beginning, names)));
      }
    }
  }
}
