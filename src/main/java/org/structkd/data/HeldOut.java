package org.structkd.data;

import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.structkd.internal.CounterRandom;

/** A tenth of some files, chosen by their names alone: another file does not move the others. */
final class HeldOut {
  private static final int SHARE = 10;

  private HeldOut() {}

  /** {@return a tenth of the files, at least one of two or more, in their order} */
  static List<ImagePair> tenth(List<ImagePair> pairs, String purpose) {
    int count = pairs.size() < 2 ? 0 : Math.max(1, pairs.size() / SHARE);
    Set<ImagePair> chosen =
        new HashSet<>(
            pairs.stream()
                .sorted(
                    Comparator.comparingLong(
                            (ImagePair pair) ->
                                CounterRandom.bits(purpose.hashCode(), pair.name().hashCode()))
                        .thenComparing(ImagePair::name))
                .limit(count)
                .toList());
    return pairs.stream().filter(chosen::contains).toList();
  }

  /** {@return the others} */
  static List<ImagePair> rest(List<ImagePair> pairs, String purpose) {
    Set<ImagePair> chosen = new HashSet<>(tenth(pairs, purpose));
    return pairs.stream().filter(pair -> !chosen.contains(pair)).toList();
  }
}
