package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.structkd.data.Batch;
import org.structkd.testing.InScope;

@InScope
class ClassificationMetricTest {
  private static final ClassificationMetric EIGHT =
      new ClassificationMetric("logits", IntStream.range(0, 8).mapToObj(k -> "c" + k).toList());

  private static Batch batch(long... labels) {
    return Batch.of(torch.zeros(labels.length, 1, 4, 4), Tensor.create(labels));
  }

  private static Score score(ClassificationMetric metric, double[] scores, long... labels) {
    Metric.Count count = metric.count();
    int classes = metric.classes().size();
    count.add(Map.of("logits", Tensor.create(scores, labels.length, classes)), batch(labels));
    return count.score();
  }

  /**
   * scikit-learn 1.9.1 on the same scores: accuracy_score of the argmax, top_k_accuracy_score with
   * k=5, balanced_accuracy_score and recall_score of each class. Classes 1, 2, 5, 6 and 7 have no
   * image.
   */
  @Test
  void numbersAreThoseOfScikitLearn() {
    Metric.Count count = EIGHT.count();
    for (int first = 0; first < 60; first += 20) {
      double[] scores = new double[20 * 8];
      long[] labels = new long[20];
      for (int i = 0; i < 20; i++) {
        int image = first + i;
        labels[i] = (image * image + 3) % 7;
        for (int k = 0; k < 8; k++) {
          scores[i * 8 + k] =
              (image * 37 + k * 101 + image * k * 13) % 1009 / 100.0 + (k == labels[i] ? 3 : 0);
        }
      }
      count.add(Map.of("logits", Tensor.create(scores, 20, 8)), batch(labels));
    }
    Score score = count.score();
    assertEquals("accuracy", score.leading().name());
    assertEquals(0.4166666666666667, score.value("accuracy"), 1e-15);
    assertEquals(0.85, score.value("top_5_accuracy"), 1e-15);
    assertEquals(0.4199346405228759, score.value("mean_class_accuracy"), 1e-15);
    double[] recalls = {
      0.35294118, Double.NaN, Double.NaN, 0.44444444, 0.41176471, 0.47058824, Double.NaN, Double.NaN
    };
    for (int k = 0; k < recalls.length; k++) {
      assertEquals(recalls[k], score.value("accuracy_" + k), 5e-9);
    }
  }

  @Test
  void ofEqualScoresTheLowerClassIsFirstAndNanIsWrong() {
    double[] equal = new double[16];
    Score score = score(EIGHT, equal, 0, 5);
    assertEquals(0.5, score.value("accuracy"));
    assertEquals(0.5, score.value("top_5_accuracy"));
    double[] nan = {Double.NaN, 1, 9, 0, 0, 0, 0, 0};
    assertEquals(0, score(EIGHT, nan, 0).value("top_5_accuracy"));
    assertEquals(0, score(EIGHT, nan, 2).value("top_5_accuracy"));
  }

  @Test
  void fiveClassesHaveNoFiveBest() {
    ClassificationMetric two = new ClassificationMetric("logits", List.of("a", "b"));
    Score score = score(two, new double[] {1, 0, 1, 0}, 0, 1);
    assertEquals(List.of("accuracy", "mean_class_accuracy"), names(score));
  }

  private static List<String> names(Score score) {
    return score.numbers().stream().map(Score.Number::name).toList();
  }

  @Test
  void whatDoesNotFitIsRefusedAndNotCounted() {
    Metric.Count count = EIGHT.count();
    Batch two = batch(0, 1);
    refused(
        "classification metric: the network has no tap \"logits\", it has: embeddings",
        () -> count.add(Map.of("embeddings", torch.zeros(2, 8)), two));
    refused(
        "classification metric: tap \"logits\" is [2, 7], expected [2, 8]",
        () -> count.add(Map.of("logits", torch.zeros(2, 7)), two));
    refused(
        "classification metric: a label is 255, expected 0 to 7",
        () -> count.add(Map.of("logits", torch.zeros(2, 8)), batch(0, 255)));
    refused(
        "classification metric: labels are [2, 1], expected [B]",
        () ->
            count.add(
                Map.of("logits", torch.zeros(2, 8)),
                Batch.of(torch.zeros(2, 1, 4, 4), Tensor.create(new long[2], 2, 1))));
    refused(
        "classification metric: there are 1 classes, expected 2 or more",
        () -> new ClassificationMetric("logits", List.of("one")));
    assertThrows(IllegalStateException.class, count::score);
  }

  @Test
  void aPictureSaysTheClassAndWhetherItIsRight() {
    Batch batch = batch(1);
    Tensor right = Tensor.create(new float[] {0, 1, 0, 0, 0, 0, 0, 0}, 1, 8);
    Tensor wrong = Tensor.create(new float[] {1, 0, 0, 0, 0, 0, 0, 0}, 1, 8);
    int green = EIGHT.picture(Map.of("logits", right), batch).getRGB(159, 0);
    int red = EIGHT.picture(Map.of("logits", wrong), batch).getRGB(159, 0);
    assertEquals(0xffffffff, EIGHT.picture(Map.of(), batch).getRGB(159, 0));
    assertTrue((green >> 8 & 0xff) > (green >> 16 & 0xff), Integer.toHexString(green));
    assertTrue((red >> 16 & 0xff) > (red >> 8 & 0xff), Integer.toHexString(red));
  }
}
