package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.data.Batch;
import org.structkd.data.MadeRatings;
import org.structkd.testing.InScope;

/** Errors of ratings on numbers that were worked out by hand. */
@InScope
class RatingMetricTest {
  private static final RatingMetric METRIC = new RatingMetric("rating");

  private static Batch given(float... stars) {
    Tensor users = Tensor.create(new long[stars.length]);
    return new Batch(
        Map.of(MadeRatings.USERS, users), Map.of(MadeRatings.RATINGS, Tensor.create(stars)));
  }

  private static Map<String, Tensor> predicted(float... stars) {
    return Map.of("rating", Tensor.create(stars));
  }

  /** Errors -0.5, 0, 1.25 and 2: the squares' mean is 5.8125 / 4, over all ratings, not batches. */
  @Test
  void batchesCountByTheirRatings() {
    Metric.Count count = METRIC.count();
    count.add(predicted(3.5f, 4, 2.25f), given(4, 4, 1));
    count.add(predicted(5), given(3));
    Score score = count.score();
    assertEquals(Math.sqrt(5.8125 / 4), score.value("rmse"), 1e-12);
    assertEquals(3.75 / 4, score.value("mae"), 1e-12);
    assertEquals("rmse", METRIC.leading());
    assertEquals(score.value("rmse"), score.leading().value());
  }

  /** A prediction in bf16 is the number that it holds, and sums are f64. */
  @Test
  void predictionsMayBeNarrow() {
    Metric.Count count = METRIC.count();
    count.add(
        Map.of("rating", Tensor.create(new float[] {2.5f, 3}).to(ScalarType.BFloat16)),
        given(2, 3));
    assertEquals(0.25, count.score().value("mae"), 1e-12);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Metric.Count count = METRIC.count();
    assertEquals(
        "rating metric: tap \"rating\" is [2], expected [1]",
        refusal(() -> count.add(predicted(1, 2), given(1))));
    assertEquals(
        "rating metric: the network has no tap \"rating\", it has: stars",
        refusal(() -> count.add(Map.of("stars", Tensor.create(1f)), given(1))));
    assertThrows(IllegalStateException.class, count::score);
  }

  private static String refusal(Runnable call) {
    return assertThrows(IllegalArgumentException.class, call::run).getMessage();
  }
}
