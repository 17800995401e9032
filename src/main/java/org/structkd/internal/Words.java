package org.structkd.internal;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;

/** Sentences about a word that nobody knows: what there is, and what was probably meant. */
public final class Words {
  private Words() {}

  /** {@return "a, b, c" in alphabetical order, or "none"} */
  public static String list(Collection<String> known) {
    return known.isEmpty() ? "none" : String.join(", ", new TreeSet<>(known));
  }

  /** {@return "a, b, c; did you mean "b"?", where one of the known words is near} */
  public static String listNearest(String given, Collection<String> known) {
    return list(known)
        + nearest(given, known).map(word -> "; did you mean \"" + word + "\"?").orElse("");
  }

  /**
   * {@return the known word that is fewest changes of a letter away; empty if more than a third of
   * the given one's letters would change}
   */
  public static Optional<String> nearest(String given, Collection<String> known) {
    String best = null;
    int least = Math.max(1, given.length() / 3) + 1;
    for (String word : new TreeSet<>(known)) {
      int changes = changes(given, word);
      if (changes < least) {
        least = changes;
        best = word;
      }
    }
    return Optional.ofNullable(best);
  }

  /** Levenshtein's distance, row by row of its table. */
  private static int changes(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int above = row[j];
        int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, 1 + Math.min(above, row[j - 1]));
        diagonal = above;
      }
    }
    return row[to.length()];
  }

  /** {@return a constant as recipes, options and operators spell it: its name in lower case} */
  public static String of(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /**
   * {@return a name of Java as options and files spell it: "skd_cvpr19" of "skdCvpr19", and "adamw"
   * of "AdamW", as one capital alone begins no word}
   */
  public static String snakeCase(String camelCase) {
    return camelCase.replaceAll("(?<=[a-z0-9])([A-Z][a-z])", "_$1").toLowerCase(Locale.ROOT);
  }
}
