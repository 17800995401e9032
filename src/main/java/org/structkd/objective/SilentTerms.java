package org.structkd.objective;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Notices terms that are 0 step after step: nothing is learned from them, and no number in a log
 * looks wrong. For the steps of one training, in their order.
 */
public final class SilentTerms {
  /** So many zeros in a row are no chance of the batches, and are seen early in any training. */
  public static final int STEPS = 20;

  private final Map<String, Integer> zeros = new HashMap<>();
  private final Set<String> told = new HashSet<>();

  /** For a training that begins. */
  public SilentTerms() {}

  /**
   * Looks at one more step.
   *
   * @param loss of the step
   * @return a sentence for each term that now was 0, with a weight above 0, for {@value #STEPS}
   *     steps in a row; each term is told once
   */
  public List<String> after(StepLoss loss) {
    List<String> sentences = new ArrayList<>();
    for (TermValue term : loss.terms()) {
      if (term.weight() == 0) {
        continue; // it is not meant to be learned from now
      }
      int inARow = term.value() == 0 ? zeros.getOrDefault(term.name(), 0) + 1 : 0;
      zeros.put(term.name(), inARow);
      if (inARow == STEPS && told.add(term.name())) {
        sentences.add(
            "term \"%s\" was 0 for %s steps in a row, up to step %s%s"
                .formatted(term.name(), STEPS, loss.step(), reason(term)));
      }
    }
    return sentences;
  }

  private static String reason(TermValue term) {
    if (term.tookPart().isEmpty()) {
      return ": student and teacher agree, or nothing took part (this term does not count it); check"
          + " labels, ignore index and masks";
    }
    long count = term.tookPart().getAsLong();
    if (count == 0) {
      return ": no pixel, node or sample took part; check labels, ignore index, masks and sampling";
    }
    return ", although "
        + count
        + " pixels, nodes or samples took part in the last one: student and teacher agree (are they"
        + " one network?), or their maps are constant";
  }
}
