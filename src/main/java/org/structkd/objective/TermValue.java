package org.structkd.objective;

import java.util.OptionalLong;

/**
 * What one term contributed to a step.
 *
 * @param name of the term
 * @param weight its factor at this step
 * @param value its raw loss
 * @param tookPart how many pixels, nodes or samples of the batch the loss was taken of; empty if
 *     the term does not count them
 */
public record TermValue(String name, double weight, double value, OptionalLong tookPart) {
  /** {@return what the term adds to the total} */
  public double weighted() {
    return weight * value;
  }
}
