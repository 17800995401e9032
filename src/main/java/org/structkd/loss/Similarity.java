package org.structkd.loss;

/** What the rows of the student are multiplied with in {@link GlobalStructuralLoss}. */
public enum Similarity {
  /** With each other. */
  SELF,
  /** With those of the teacher; needs as many channels. */
  CROSS
}
