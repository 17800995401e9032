package org.structkd.loss;

/** What happens to a class (quadrant, image) with fewer candidates than it should give. */
public enum MinorityFill {
  /**
   * All of its own, then candidates of other classes; where those run out too, repeats of them, or
   * of its own if there are no others.
   */
  OTHER_CLASSES,
  /** All of its own, then random repeats of them. */
  WITH_REPLACEMENT,
  /** It gives no sample. */
  SKIP
}
