package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.structkd.internal.CounterRandom;

class CounterRandomTest {
  @Test
  void theSequenceOfAKeyIsSplitMix64() {
    // The JDK's SplittableRandom is the same generator, written by its authors.
    for (long key : new long[] {0, 1, -1, 42, Long.MIN_VALUE}) {
      SplittableRandom expected = new SplittableRandom(key);
      for (int counter = 0; counter < 100; counter++) {
        assertEquals(expected.nextLong(), CounterRandom.bits(key, counter));
      }
    }
  }

  @Test
  void belowIsUniform() {
    int bound = 49;
    int draws = 490_000;
    int[] seen = new int[bound];
    for (int i = 0; i < draws; i++) {
      seen[CounterRandom.below(bound, 7, i)]++;
    }
    double chiSquare = 0;
    for (int n : seen) {
      chiSquare += Math.pow(n - 10_000, 2) / 10_000;
    }
    // 48 degrees of freedom: mean 48, standard deviation 9.8; five of them above.
    assertTrue(chiSquare < 97, "chi-square " + chiSquare);
  }

  @Test
  void noiseHasTheMomentsOfANormalDistribution() {
    int n = 1 << 20;
    float[] values = new float[n];
    GaussianNoise.add(1, 3, values, 0, n);
    double[] moments = new double[5];
    double neighbours = 0;
    for (int i = 0; i < n; i++) {
      for (int k = 1; k <= 4; k++) {
        moments[k] += Math.pow(values[i], k) / n;
      }
      neighbours += values[i] * values[(i + 1) % n] / n;
    }
    // Five standard errors: sqrt(1, 2, 15, 96 and 1 over n).
    assertEquals(0, moments[1], 5 * Math.sqrt(1.0 / n));
    assertEquals(1, moments[2], 5 * Math.sqrt(2.0 / n));
    assertEquals(0, moments[3], 5 * Math.sqrt(15.0 / n));
    assertEquals(3, moments[4], 5 * Math.sqrt(96.0 / n));
    assertEquals(0, neighbours, 5 * Math.sqrt(1.0 / n));
  }

  @Test
  void noiseStaysInItsRangeAndItsBeginningDoesNotDependOnItsEnd() {
    float[] all = new float[10];
    GaussianNoise.add(1, 5, all, 0, 10);
    for (int count = 0; count < 10; count++) {
      float[] some = new float[12];
      GaussianNoise.add(1, 5, some, 1, count);
      for (int i = 0; i < 12; i++) {
        assertEquals(i >= 1 && i <= count ? all[i - 1] : 0, some[i]);
      }
    }
  }
}
