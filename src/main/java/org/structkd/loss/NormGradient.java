package org.structkd.loss;

/** Whether the gradient flows through the length of a node vector. */
public enum NormGradient {
  /** The length is a constant, as in the released code of SKD. */
  DETACHED,
  /** The full derivative of the scaled vector, as {@code F.normalize} has it. */
  DIFFERENTIABLE
}
