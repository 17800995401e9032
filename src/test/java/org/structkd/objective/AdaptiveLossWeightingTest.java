package org.structkd.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdaptiveLossWeightingTest {
  // epoch/120, the schedule of AICSD's code.
  @ParameterizedTest
  @CsvSource({"0, 0", "1, 0.008333333333333333", "30, 0.25", "60, 0.5", "119, 0.9916666666666667"})
  void alphaIsProgressOverTotal(long epoch, double expected) {
    assertEquals(expected, new AdaptiveLossWeighting(120).alpha(epoch), 1e-15);
  }

  @Test
  void alphaStaysOneAfterTheEnd() {
    assertEquals(1.0, new AdaptiveLossWeighting(120).alpha(120));
    assertEquals(1.0, new AdaptiveLossWeighting(120).alpha(Long.MAX_VALUE));
  }

  @Test
  void alphaChangesOncePerUnit() {
    AdaptiveLossWeighting perEpoch = new AdaptiveLossWeighting(4, 10);
    assertEquals(0.0, perEpoch.alpha(9));
    assertEquals(0.25, perEpoch.alpha(10));
    assertEquals(0.25, perEpoch.alpha(19));
    assertEquals(1.0, perEpoch.alpha(40));
  }

  @Test
  void risingAndFallingShareTheWeight() {
    AdaptiveLossWeighting alw = new AdaptiveLossWeighting(10);
    assertEquals(3 * 0.2, alw.rising(3).at(2), 1e-15);
    assertEquals(5 * 0.8, alw.falling(5).at(2), 1e-15);
    assertEquals(0.0, alw.rising(3).at(0));
    assertEquals(0.0, alw.falling(3).at(10));
  }

  @Test
  void rejectsImpossibleNumbers() {
    assertThrows(IllegalArgumentException.class, () -> new AdaptiveLossWeighting(0));
    assertThrows(IllegalArgumentException.class, () -> new AdaptiveLossWeighting(1, 0));
    AdaptiveLossWeighting alw = new AdaptiveLossWeighting(10);
    assertThrows(IllegalArgumentException.class, () -> alw.alpha(-1));
    assertThrows(IllegalArgumentException.class, () -> alw.rising(-1));
    assertThrows(IllegalArgumentException.class, () -> alw.falling(Double.NaN));
  }
}
