package org.structkd.loss;

/** How the images of a batch make one value. Images without samples never count. */
public enum BatchRule {
  /** Their mean. */
  MEAN,
  /** The last image alone, as in the released code. */
  LAST_IMAGE
}
