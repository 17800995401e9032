package org.structkd.loss;

/** How {@link GlobalStructuralLoss} compares a group of student and teacher. */
public enum GroupComparison {
  /** F1, the published one: KL of the softmax over all entries of a group. A kernel. */
  GROUP_DIVERGENCE,
  /**
   * F2: KL of the softmax over each row of a group, mean over rows and groups, times the squared
   * temperature. Composed of LibTorch operations.
   */
  ROW_DIVERGENCE,
  /**
   * F3: mean squared gap between the cosines of groups, taken as vectors. Composed of LibTorch
   * operations.
   */
  DESCRIPTOR_RELATION
}
