package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.structkd.testing.Refusals.refused;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@SuppressWarnings("try") // scopes are opened, not read
class SegmentationScoreTest {
  private static final double EXACT = 0;

  @Test
  void countsByHand() {
    SegmentationScore score = new SegmentationScore(3);
    score.add(new long[] {0, 0, 0, 1, 1, 2}, new long[] {0, 0, 1, 1, 2, 2});
    assertEquals(3, score.classes());
    assertEquals(6, score.pixels());
    assertEquals(2, score.count(0, 0));
    assertEquals(1, score.count(0, 1));
    assertEquals(0, score.count(1, 0));
    assertEquals(4 / 6.0, score.pixelAccuracy(), EXACT);
    assertEquals(2 / 3.0, score.iou(0), EXACT);
    assertEquals(1 / 3.0, score.iou(1), EXACT);
    assertEquals(1 / 2.0, score.iou(2), EXACT);
    assertEquals((2 / 3.0 + 1 / 3.0 + 1 / 2.0) / 3, score.meanIou(), EXACT);
  }

  @Test
  void allRightIsOneAndAllWrongIsZero() {
    SegmentationScore right = new SegmentationScore(2);
    right.add(new long[] {0, 1}, new long[] {0, 1});
    assertEquals(1, right.meanIou(), EXACT);
    assertEquals(1, right.pixelAccuracy(), EXACT);
    SegmentationScore wrong = new SegmentationScore(2);
    wrong.add(new long[] {0, 1}, new long[] {1, 0});
    assertEquals(0, wrong.meanIou(), EXACT);
    assertEquals(0, wrong.pixelAccuracy(), EXACT);
  }

  @Test
  void classesInNeitherLabelsNorPredictionsAreLeftOutOfTheMean() {
    SegmentationScore score = new SegmentationScore(11);
    score.add(new long[] {0, 0, 3}, new long[] {0, 0, 3});
    assertEquals(Double.NaN, score.iou(1));
    assertEquals(1, score.meanIou(), EXACT);
  }

  @Test
  void aClassThatIsOnlyPredictedStaysInTheMean() {
    SegmentationScore score = new SegmentationScore(11);
    score.add(new long[] {0, 0}, new long[] {0, 7});
    assertEquals(0, score.iou(7), EXACT);
    assertEquals(0.25, score.meanIou(), EXACT);
  }

  @Test
  void ignoredPixelsCountNowhereWhateverWasPredicted() {
    SegmentationScore score = new SegmentationScore(2, 255L);
    score.add(new long[] {0, 1, 255, 255}, new long[] {0, 1, 0, -9});
    assertEquals(2, score.pixels());
    assertEquals(1, score.meanIou(), EXACT);
    assertEquals(1, score.pixelAccuracy(), EXACT);
  }

  @Test
  void anIgnoredClassIsLeftOutOfTheMeanButPredictingItIsWrong() {
    SegmentationScore score = new SegmentationScore(3, 0L);
    score.add(new long[] {0, 0, 1, 1, 2}, new long[] {1, 0, 1, 0, 2});
    assertEquals(3, score.pixels());
    assertEquals(Double.NaN, score.iou(0));
    assertEquals(0.5, score.iou(1), EXACT);
    assertEquals(0.75, score.meanIou(), EXACT);
    assertEquals(2 / 3.0, score.pixelAccuracy(), EXACT);
  }

  @Test
  void mergingEqualsCountingInOne() {
    SegmentationScore one = new SegmentationScore(3);
    SegmentationScore left = new SegmentationScore(3);
    SegmentationScore right = new SegmentationScore(3);
    one.add(new long[] {0, 1, 2, 2}, new long[] {0, 2, 2, 1});
    left.add(new long[] {0, 1}, new long[] {0, 2});
    right.add(new long[] {2, 2}, new long[] {2, 1});
    left.merge(right);
    for (int i = 0; i < 3; i++) {
      for (int j = 0; j < 3; j++) {
        assertEquals(one.count(i, j), left.count(i, j));
      }
    }
    assertEquals(2, right.pixels());
  }

  @Test
  void refusesToMergeAnotherKindOfScore() {
    SegmentationScore score = new SegmentationScore(3);
    refused(
        "other must have 3 classes and ignore index null but has 4 and null",
        () -> score.merge(new SegmentationScore(4)));
    refused(
        "other must have 3 classes and ignore index null but has 3 and 255",
        () -> score.merge(new SegmentationScore(3, 255L)));
  }

  @Test
  void hasNoScoreBeforeAPixelWasCounted() {
    SegmentationScore score = new SegmentationScore(3, 255L);
    score.add(new long[] {255}, new long[] {0});
    for (var read : new Runnable[] {score::meanIou, score::pixelAccuracy}) {
      refused(IllegalStateException.class, "no pixel was counted, so there is no score", read::run);
    }
  }

  @Test
  void refusesClassesOutOfRangeAndCountsNothing() {
    SegmentationScore score = new SegmentationScore(3);
    refused(
        "labels must be classes 0 to 2 but pixel 1 is 3",
        () -> score.add(new long[] {0, 3}, new long[] {0, 0}));
    refused(
        "predictions must be classes 0 to 2 but pixel 1 is -1",
        () -> score.add(new long[] {0, 0}, new long[] {0, -1}));
    refused(
        "labels must be classes 0 to 2 (ignore index 255) but pixel 0 is 254",
        () -> new SegmentationScore(3, 255L).add(new long[] {254}, new long[] {0}));
    assertEquals(0, score.pixels());
  }

  @Test
  void refusesArraysOfDifferentLength() {
    refused(
        "labels and predictions must have one length but have 2 and 3",
        () -> new SegmentationScore(3).add(new long[2], new long[3]));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 4097})
  void refusesAnImpossibleNumberOfClasses(int classes) {
    refused("classes must be 1 to 4096 but is " + classes, () -> new SegmentationScore(classes));
  }

  @Test
  void countsTensorsLikeArraysAlsoWhenTheyAreViews() {
    try (PointerScope scope = new PointerScope()) {
      Tensor labels = Tensor.create(new long[] {0, 1, 2, 0, 1, 2}, 1, 2, 3).transpose(1, 2);
      Tensor predictions = Tensor.create(new long[] {0, 0, 1, 1, 2, 2}, 1, 3, 2);
      SegmentationScore score = new SegmentationScore(3);
      score.add(labels, predictions); // labels read 0 0 1 1 2 2
      assertEquals(6, score.pixels());
      assertEquals(1, score.meanIou(), EXACT);
    }
  }

  @Test
  void refusesTensorsOfAnotherShapeOrType() {
    try (PointerScope scope = new PointerScope()) {
      SegmentationScore score = new SegmentationScore(3);
      Tensor labels = Tensor.create(new long[6], 1, 2, 3);
      refused(
          "labels and predictions must have one shape but have [1, 2, 3] and [1, 3, 2]",
          () -> score.add(labels, Tensor.create(new long[6], 1, 3, 2)));
      refused(
          "predictions must be i64 (Long) but is Float",
          () -> score.add(labels, Tensor.create(new float[6], 1, 2, 3)));
      refused(
          "labels must be i64 (Long) but is Int",
          () -> score.add(Tensor.create(new int[6], 1, 2, 3), labels));
    }
  }
}
