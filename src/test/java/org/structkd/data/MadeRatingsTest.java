package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.Tensors;

class MadeRatingsTest {
  private static final MadeRatings RATINGS = new MadeRatings(60, 40, 3);

  private static Set<Long> pairs(Batch batch) {
    double[] users = Tensors.values(batch.input(MadeRatings.USERS));
    double[] items = Tensors.values(batch.input(MadeRatings.ITEMS));
    Set<Long> pairs = new HashSet<>();
    for (int i = 0; i < users.length; i++) {
      pairs.add((long) users[i] * RATINGS.items() + (long) items[i]);
    }
    return pairs;
  }

  @Test
  void splitsShareNoRatingAndATrainingSeesEachOnceARound() throws Exception {
    try (PointerScope scope = new PointerScope()) {
      int count = RATINGS.size(Split.TRAIN);
      Set<Long> seen = pairs(RATINGS.training(count).prepare(0).tensors());
      assertEquals(count, seen.size());
      assertEquals(seen, pairs(RATINGS.withSeed(5).training(count).prepare(3).tensors()));
      for (Split split : new Split[] {Split.VALIDATION, Split.TEST}) {
        Set<Long> others = pairs(RATINGS.examples(split, 0, RATINGS.size(split)));
        assertEquals(RATINGS.size(split), others.size());
        assertTrue(seen.stream().noneMatch(others::contains));
        seen.addAll(others);
      }
      assertEquals(0.2, seen.size() / (60.0 * 40), 0.03);
    }
  }

  @Test
  void theSeedDecidesTheOrderAlone() throws Exception {
    try (PointerScope scope = new PointerScope()) {
      Tensor one = RATINGS.training(8).prepare(1).tensors().input(MadeRatings.USERS);
      Tensor same = RATINGS.training(8).prepare(1).tensors().input(MadeRatings.USERS);
      Tensor other = RATINGS.withSeed(1).training(8).prepare(1).tensors().input(MadeRatings.USERS);
      assertTrue(Tensors.sameBits(one, same));
      assertNotEquals(true, Tensors.sameBits(one, other));
    }
  }

  /** Whole stars, of which all are given; their mean is in the middle. */
  @Test
  void starsAreThoseOfPeople() {
    try (PointerScope scope = new PointerScope()) {
      MadeRatings many = new MadeRatings(300, 200, 8);
      double[] stars =
          Tensors.values(
              many.examples(Split.TRAIN, 0, many.size(Split.TRAIN)).target(MadeRatings.RATINGS));
      Set<Double> values = new HashSet<>();
      double sum = 0;
      for (double value : stars) {
        values.add(value);
        sum += value;
      }
      assertEquals(Set.of(1.0, 2.0, 3.0, 4.0, 5.0), values);
      assertEquals(3, sum / stars.length, 0.2);
    }
  }

  @Test
  void impossibleSizesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new MadeRatings(9, 40, 3));
    assertThrows(IllegalArgumentException.class, () -> new MadeRatings(60, 5000, 3));
    assertThrows(IllegalArgumentException.class, () -> new MadeRatings(60, 40, 0));
    assertThrows(IllegalArgumentException.class, () -> RATINGS.training(100_000));
    assertEquals(ScalarType.Long, usersType());
  }

  private static ScalarType usersType() {
    try (PointerScope scope = new PointerScope()) {
      return RATINGS.examples(Split.TEST, 0, 1).input(MadeRatings.USERS).scalar_type().intern();
    }
  }
}
