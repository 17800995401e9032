package org.structkd.loss;

/**
 * By what a sum over all pixels of a batch is divided; B images of H x W pixels and K classes. With
 * a mask the number V of valid pixels takes the place of B H W.
 */
public enum PixelDivisor {
  /** H W, or V / B: the loss is a sum over images and grows with the batch. */
  PIXELS_PER_IMAGE,
  /** B H W, or V: a mean over pixels. */
  PIXELS,
  /** B K H W, or K V: K times smaller than the mean over pixels. */
  ELEMENTS
}
