package org.structkd.loss;

/** Divisor of the divergence of a group of L = M * width entries. */
public enum GroupReduction {
  /** 1: the divergence itself. */
  SUM,
  /** L, as in the released code. */
  DIV_L,
  /** M, the number of samples. */
  DIV_M
}
