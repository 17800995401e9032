package org.structkd.internal;

/**
 * Random bits as a pure function of a key and a counter: nothing to seed, save or lock, and any
 * element of a sequence can be had without the ones before it.
 *
 * <p>The sequence of a key is SplitMix64 started there: a Weyl sequence, scrambled. Source: G.
 * Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; the
 * scrambler's constants are D. Stafford's "Mix13".
 */
public final class CounterRandom {
  /** 2^64 divided by the golden ratio, made odd. */
  private static final long STEP = 0x9e3779b97f4a7c15L;

  private CounterRandom() {}

  /** {@return 64 random bits} They may serve as the key of a sequence of their own. */
  public static long bits(long key, long counter) {
    long z = key + (counter + 1) * STEP;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /**
   * {@return a number from 0 to {@code bound} - 1} Its probability is off by less than {@code
   * bound} / 2^32, relatively.
   */
  public static int below(int bound, long key, long counter) {
    return (int) ((bits(key, counter) >>> 32) * bound >>> 32);
  }

  /** {@return a number that is uniform in [0, 1)} */
  public static double uniform(long key, long counter) {
    return (bits(key, counter) >>> 11) * 0x1p-53;
  }

  /** {@return a normal number of mean 0 and deviation 1} By the transform of Box and Muller. */
  public static double normal(long key, long counter) {
    double radius = ((bits(key, 2 * counter) >>> 11) + 1) * 0x1p-53; // in (0, 1]
    double angle = uniform(key, 2 * counter + 1);
    return Math.sqrt(-2 * StrictMath.log(radius)) * StrictMath.cos(2 * Math.PI * angle);
  }
}
