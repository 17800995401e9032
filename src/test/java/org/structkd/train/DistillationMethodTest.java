package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.structkd.objective.Objective;
import org.structkd.objective.WeightedTerm;

class DistillationMethodTest {
  private static double weight(Objective objective, int term, long step) {
    return objective.terms().get(term).weight().at(step);
  }

  @Test
  void termsComeInOneOrderWithTheirWeights() {
    Objective skd = DistillationMethod.SKD.objective(Map.of("pairwise", 3.0), 100);
    assertEquals(
        List.of("supervised", "pixelwise", "pairwise"),
        skd.terms().stream().map(WeightedTerm::name).toList());
    assertEquals(1, weight(skd, 0, 50));
    assertEquals(DistillationMethod.SKD.weights().get("pixelwise"), weight(skd, 1, 50));
    assertEquals(3, weight(skd, 2, 50));
  }

  @Test
  void icsdMovesFromImitationToLabels() {
    Objective icsd =
        DistillationMethod.ICSD.objective(
            Map.of("pixelwise", 5.0, "inter_class_similarity", 2.0), 100);
    assertEquals(0, weight(icsd, 0, 0));
    assertEquals(5, weight(icsd, 1, 0));
    assertEquals(0, weight(icsd, 2, 0));
    assertEquals(0.5, weight(icsd, 0, 50));
    assertEquals(2.5, weight(icsd, 1, 50));
    assertEquals(1, weight(icsd, 2, 50));
  }

  @Test
  void adaptiveWeightsWorkForFewerStepsThanStages() {
    assertEquals(0, weight(DistillationMethod.ICSD.objective(Map.of(), 3), 0, 0));
  }

  @Test
  void wrongWeightsAreNamed() {
    IllegalArgumentException unknown =
        assertThrows(
            IllegalArgumentException.class,
            () -> DistillationMethod.KD.weightsWith(Map.of("pairwise", 1.0)));
    assertTrue(unknown.getMessage().contains("it has: pixelwise"), unknown.getMessage());
    for (double weight : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
      for (DistillationMethod method : List.of(DistillationMethod.KD, DistillationMethod.ICSD)) {
        IllegalArgumentException negative =
            assertThrows(
                IllegalArgumentException.class,
                () -> method.objective(Map.of("pixelwise", weight), 10));
        assertTrue(negative.getMessage().contains("pixelwise"), negative.getMessage());
      }
    }
  }
}
