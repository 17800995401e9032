package org.structkd.data;

import org.structkd.internal.CounterRandom;

/**
 * Normal deviates out of random bits by the Box-Muller transform, from two tables.
 *
 * <p>Radius and angle are each one of 4096 midpoints, so a value costs two look-ups and a product,
 * is the same on every machine (the tables come from {@link StrictMath}) and stays within 4.25
 * standard deviations. The variance is 1 to within 0.0002.
 */
final class GaussianNoise {
  /** Values that one word of bits gives. */
  private static final int PER_WORD = 4;

  private static final int TABLE = 4096;
  private static final int INDEX_BITS = 12;
  private static final int MASK = TABLE - 1;
  private static final float[] RADIUS = new float[TABLE];
  private static final float[] COSINE = new float[TABLE];

  static {
    for (int i = 0; i < TABLE; i++) {
      double midpoint = (i + 0.5) / TABLE;
      RADIUS[i] = (float) StrictMath.sqrt(-2.0 * StrictMath.log(midpoint));
      COSINE[i] = (float) StrictMath.cos(2.0 * Math.PI * midpoint);
    }
  }

  private GaussianNoise() {}

  /**
   * Adds independent noise to a range.
   *
   * @param sigma standard deviation, 0 or greater
   * @param key sequence of {@link CounterRandom} to use, from its first element on
   */
  static void add(float sigma, long key, float[] values, int from, int count) {
    for (int i = 0; i < count; i += PER_WORD) {
      long bits = CounterRandom.bits(key, i / PER_WORD);
      for (int k = 0; k < PER_WORD && i + k < count; k += 2) {
        float radius = sigma * RADIUS[(int) bits & MASK];
        int angle = (int) (bits >>> INDEX_BITS) & MASK;
        bits >>>= 2 * INDEX_BITS;
        values[from + i + k] += radius * COSINE[angle];
        if (i + k + 1 < count) { // a quarter turn back: the sine
          values[from + i + k + 1] += radius * COSINE[(angle + 3 * TABLE / 4) & MASK];
        }
      }
    }
  }
}
