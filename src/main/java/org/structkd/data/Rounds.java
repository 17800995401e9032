package org.structkd.data;

import org.structkd.internal.CounterRandom;

/**
 * An endless sequence of the same examples: each comes once before any comes again, in an order
 * that changes every time around. A pure function of its position.
 */
final class Rounds {
  private Rounds() {}

  /**
   * {@return which examples stand at consecutive positions}
   *
   * @param count of all examples
   * @param seed of the orders
   * @param first position
   * @param size how many positions
   */
  static int[] indices(int count, long seed, long first, int size) {
    int[] indices = new int[size];
    long round = -1;
    int[] order = {};
    for (int i = 0; i < size; i++) {
      long at = first + i;
      if (at / count != round) {
        round = at / count;
        order = order(count, CounterRandom.bits(seed, round));
      }
      indices[i] = order[(int) (at % count)];
    }
    return indices;
  }

  /** All examples in a random order. */
  private static int[] order(int count, long key) {
    int[] order = new int[count];
    for (int i = 0; i < count; i++) { // the shuffle of Fisher and Yates, from the inside out
      int other = CounterRandom.below(i + 1, key, i);
      order[i] = order[other];
      order[other] = i;
    }
    return order;
  }
}
