package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Batch;
import org.structkd.testing.InScope;
import org.structkd.testing.PictureCases;
import org.structkd.testing.Tensors;

/** NDCG, hit rate and error on stored cases, and on numbers that were worked out by hand. */
@InScope
class RecommendationMetricTest {
  private static final RecommendationMetric FIRST_TWO =
      new RecommendationMetric("rating", "scores", 2, 4);

  /** Two users, five items; user 0 has rated item 0 in training, user 1 items 3 and 4. */
  private static Batch batch() {
    float none = Float.NaN;
    return new Batch(
        Map.of(
            "users",
            Tensor.create(new long[] {0, 1}),
            "items",
            Tensor.create(new long[] {1, 3, 4, 0, 2, 0}, 2, 3)),
        Map.of(
            "ratings",
            Tensor.create(new float[] {5, 4, 2, 3, 5, none}, 2, 3),
            "rated",
            Tensor.create(
                new boolean[] {true, false, false, false, false, false, false, false, true, true},
                2,
                5)));
  }

  private static Score score(RecommendationMetric metric, double[] scores, double[] ratings) {
    Metric.Count count = metric.count();
    count.add(
        Map.of("scores", Tensor.create(scores, 2, 5), "rating", Tensor.create(ratings, 2, 3)),
        batch());
    return count.score();
  }

  static List<JsonNode> cases() throws IOException {
    List<JsonNode> cases = new ArrayList<>();
    Path file = Path.of("src/test/resources/recommendation/cases.json");
    new ObjectMapper().readTree(file.toFile()).required("cases").forEach(cases::add);
    return cases;
  }

  /** NDCG by scikit-learn. */
  @ParameterizedTest
  @MethodSource("cases")
  void numbersAgreeWithTheStoredCases(JsonNode one) {
    int users = one.required("users").intValue();
    int items = one.required("items").intValue();
    int held = one.required("held").intValue();
    int top = one.required("top").intValue();
    boolean[] rated = new boolean[users * items];
    for (int i = 0; i < rated.length; i++) {
      rated[i] = one.required("rated").get(i).booleanValue();
    }
    Tensor chosen = doubles(one, "chosen", users, held).to(ScalarType.Long);
    Batch batch =
        new Batch(
            Map.of("users", Tensor.create(new long[users]), "items", chosen),
            Map.of(
                "ratings",
                doubles(one, "stars", users, held).to(ScalarType.Float),
                "rated",
                Tensor.create(rated, users, items)));
    Metric.Count count = new RecommendationMetric("rating", "scores", top, 4).count();
    count.add(
        Map.of(
            "scores",
            doubles(one, "scores", users, items),
            "rating",
            doubles(one, "answers", users, held)),
        batch);
    Score score = count.score();
    assertEquals(one.required("ndcg").doubleValue(), score.value("ndcg" + top), 1e-12);
    assertEquals(one.required("hr").doubleValue(), score.value("hr" + top), 1e-12);
    assertEquals(one.required("rmse").doubleValue(), score.value("rmse"), 1e-12);
  }

  private static Tensor doubles(JsonNode of, String key, long rows, long columns) {
    return Tensor.create(PictureCases.numbers(of, key), rows, columns);
  }

  /**
   * User 0: candidates 1, 2, 3, 4 with scores 1, 3, 2, 0, so that relevant items 1 and 3 have ranks
   * 3 and 2: (1/log2 3) / (1 + 1/log2 3) = 0.386853. User 1: candidates 0, 1, 2 with scores 1, 1,
   * 1: ties go by index, relevant item 2 has rank 3: 0. Errors are 1, 0, 1, 0 and 2.
   */
  @Test
  void valuesAreThoseOfAHand() {
    double[] scores = {9, 1, 3, 2, 0, 1, 1, 1, 9, 9};
    double[] ratings = {4, 4, 3, 3, 3, 100};
    Score score = score(FIRST_TWO, scores, ratings);
    assertEquals("ndcg2", score.leading().name());
    assertEquals(0.38685280723454163 / 2, score.value("ndcg2"), 1e-12);
    assertEquals(0.5, score.value("hr2"), 1e-12);
    assertEquals(Math.sqrt(6 / 5.0), score.value("rmse"), 1e-12);
  }

  @Test
  void aPerfectRankingHasOne() {
    double[] scores = {9, 8, 1, 7, 0, 1, 1, 2, 9, 9};
    Score score = score(FIRST_TWO, scores, new double[] {5, 4, 2, 3, 5, 0});
    assertEquals(1, score.value("ndcg2"), 1e-12);
    assertEquals(1, score.value("hr2"), 1e-12);
    assertEquals(0, score.value("rmse"), 1e-12);
  }

  @Test
  void moreRelevantThanRecommendedItemsCanHaveOne() {
    double[] scores = {9, 8, 1, 7, 0, 1, 1, 2, 9, 9};
    RecommendationMetric one = new RecommendationMetric("rating", "scores", 1, 4);
    assertEquals(1, score(one, scores, new double[6]).value("ndcg1"), 1e-12);
  }

  @Test
  void scoresThatAreNoNumbersHaveNoValue() {
    double[] scores = {9, 8, Double.NaN, 7, 0, 1, 1, 2, 9, 9};
    assertTrue(Double.isNaN(score(FIRST_TWO, scores, new double[6]).value("ndcg2")));
  }

  @Test
  void batchesAreCountedTogether() {
    Metric.Count count = FIRST_TWO.count();
    Tensor scores = Tensor.create(new double[] {9, 1, 3, 2, 0, 1, 1, 2, 9, 9}, 2, 5);
    Map<String, Tensor> outputs =
        Map.of("scores", scores, "rating", Tensor.create(new double[6], 2, 3));
    count.add(outputs, batch());
    double once = count.score().leading().value();
    count.add(outputs, batch());
    assertEquals(once, count.score().leading().value(), 1e-12);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Metric.Count count = FIRST_TWO.count();
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> count.add(Map.of("rating", Tensors.gaussian(1, 2, 3)), batch()));
    assertEquals(
        "recommendation metric: the network has no tap \"scores\", it has: rating", e.getMessage());
    assertThrows(IllegalStateException.class, count::score);
    assertThrows(
        IllegalArgumentException.class, () -> new RecommendationMetric("rating", "scores", 0, 4));
    assertThrows(
        IllegalArgumentException.class,
        () -> new RecommendationMetric("rating", "scores", 2, Double.NaN));
  }

  @Test
  void aPictureShowsStars() {
    try (PointerScope scope = new PointerScope()) {
      assertEquals(24, FIRST_TWO.picture(Map.of(), batch()).getHeight());
    }
  }
}
