package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class LearningRateTest {
  @Test
  void decaysPolynomially() {
    LearningRate rate = LearningRate.poly(0.1);
    assertEquals(0.1, rate.at(0, 100));
    assertEquals(0.1 * Math.pow(0.5, 0.9), rate.at(50, 100), 1e-15);
    assertEquals(0.1 * Math.pow(0.01, 0.9), rate.at(99, 100), 1e-15);
  }

  @Test
  void warmsUpLinearly() {
    LearningRate rate = new LearningRate(1, 4, 0);
    assertEquals(0.25, rate.at(0, 10));
    assertEquals(0.5, rate.at(1, 10));
    assertEquals(1, rate.at(3, 10));
    assertEquals(1, rate.at(9, 10));
  }

  @Test
  void impossibleRatesAreRefused() {
    for (double base : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(IllegalArgumentException.class, () -> LearningRate.poly(base));
    }
    assertThrows(IllegalArgumentException.class, () -> new LearningRate(1, -1, 0));
    assertThrows(IllegalArgumentException.class, () -> new LearningRate(1, 0, Double.NaN));
  }
}
