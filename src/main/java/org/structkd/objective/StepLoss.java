package org.structkd.objective;

import java.util.List;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Tensor;

/**
 * The objective of one step: the tensor to differentiate and plain numbers to log.
 *
 * @param total scalar with a grad_fn, attached to the PointerScope of whoever called {@link
 *     Objective#compute}
 * @param step counted from 0
 * @param terms one value per term, in the order of the objective; plain numbers that outlive every
 *     scope
 */
public record StepLoss(Tensor total, long step, List<TermValue> terms) {
  /** Copies the list. */
  public StepLoss {
    terms = List.copyOf(terms);
  }

  /** The total as a plain number: the sum of the weighted terms. */
  public double value() {
    double sum = 0;
    for (TermValue term : terms) {
      sum += term.weighted();
    }
    return sum;
  }

  /**
   * The value of one term.
   *
   * @throws IllegalArgumentException naming the known terms, if there is none of this name
   */
  public TermValue term(String name) {
    for (TermValue term : terms) {
      if (term.name().equals(name)) {
        return term;
      }
    }
    throw new IllegalArgumentException(
        "there is no term \""
            + name
            + "\", there are: "
            + terms.stream().map(TermValue::name).collect(Collectors.joining(", ")));
  }
}
