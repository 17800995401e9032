package org.structkd.loss;

/** How exact a kernel computes. */
public enum Precision {
  /** Error at most twice that of the same formula composed of LibTorch operators in this dtype. */
  EXACT,
  /** Cheaper arithmetic while the relative error of the gradient stays below 5e-3, else EXACT. */
  FAST
}
