package org.structkd.loss;

/** Which pixels of an image {@link GlobalStructuralLoss} compares. */
public enum Sampling {
  /** As many pixels of each class that is present. */
  CLASS_BALANCED,
  /** A quarter of the samples in each quadrant of the map. */
  RANDOM_GRID,
  /** Anywhere in the image. */
  RANDOM,
  /** Every candidate, in row-major order. */
  ALL
}
