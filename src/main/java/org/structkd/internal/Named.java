package org.structkd.internal;

import java.util.Map;
import java.util.Set;

/** Things that are found by name, and the one sentence for a name that is not there. */
public final class Named {
  private Named() {}

  /**
   * {@return what has this name}
   *
   * @param owner whose it is, as sentences begin: "the batch"
   * @param kind what it is: "input"
   * @throws IllegalArgumentException naming all that there is, if there is none of this name
   */
  public static <T> T in(Map<String, T> all, String owner, String kind, String name) {
    T found = all.get(name);
    if (found == null) {
      throw missing(owner, kind, name, all.keySet());
    }
    return found;
  }

  /** {@return the error of a name that is not there} */
  public static IllegalArgumentException missing(
      String owner, String kind, String name, Set<String> all) {
    return new IllegalArgumentException(
        "%s has no %s \"%s\", it has: %s"
            .formatted(owner, kind, name, Words.listNearest(name, all)));
  }
}
