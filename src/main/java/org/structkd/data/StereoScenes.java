package org.structkd.data;

/** Where the pairs of {@link StereoDataset} come from. Immutable. */
interface StereoScenes {
  /** {@return rows of a pair, which all have, a multiple of {@link StereoDataset#STRIDE}} */
  int height();

  /** {@return 1 for grey, 3 for colours} */
  int channels();

  /**
   * {@return a pair to learn from}
   *
   * @param key decides which
   */
  StereoPair training(long key);

  /** {@return the most pairs that a split has to evaluate on} */
  int count(Split split);

  /** {@return a pair to evaluate on} */
  StereoPair example(Split split, int index);
}
