package org.structkd.objective;

/**
 * What one term contributed to a step.
 *
 * @param name of the term
 * @param weight its factor at this step
 * @param value its raw loss
 */
public record TermValue(String name, double weight, double value) {
  /** Its part of the total. */
  public double weighted() {
    return weight * value;
  }
}
