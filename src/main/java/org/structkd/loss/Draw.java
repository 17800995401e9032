package org.structkd.loss;

/** The order in which candidates are taken. */
public enum Draw {
  /** By keys from seed, step, image and pixel: the same on every machine. */
  RANDOM,
  /** The first in row-major order, to compare with stored numbers. */
  RASTER
}
