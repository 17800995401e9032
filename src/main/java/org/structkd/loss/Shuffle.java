package org.structkd.loss;

/** How the columns of a similarity map are permuted before they are cut into groups. */
public enum Shuffle {
  /** Every row by a permutation of its own. */
  ROW_INDEPENDENT,
  /** All rows of an image alike, so that a group is a real block of the map. */
  COLUMN_SHARED,
  /** Not at all. */
  NONE
}
