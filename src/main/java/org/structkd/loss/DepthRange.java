package org.structkd.loss;

/** What turns disparities of 0 to 1 into depths: a network's and its losses' must be equal. */
public interface DepthRange {
  /** {@return the depth of the disparity 1, in metres} */
  double nearest();

  /** {@return the depth of the disparity 0, in metres} */
  double farthest();
}
