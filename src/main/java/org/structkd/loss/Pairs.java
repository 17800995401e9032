package org.structkd.loss;

/** Which nodes are compared with each other. */
public enum Pairs {
  /** Within one image; the loss is the mean over images. */
  PER_IMAGE,
  /** Every node of the batch with every other, at the cost of per-image pairs. */
  WHOLE_BATCH
}
