package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.data.RatedItems;
import org.structkd.data.Split;
import org.structkd.metric.Metric;
import org.structkd.metric.RecommendationMetric;

/**
 * {@code {kind: recommendation}}: NDCG and hit rate of the first items, and the error of ratings,
 * see {@link RecommendationMetric}.
 *
 * @param on tap with a rating for each pair of user and item
 * @param scores tap with a score for every item of each user
 * @param top how many items are recommended, 1 or more
 * @param liked stars from which on an item is relevant
 */
record RecommendationSettings(String on, String scores, int top, double liked)
    implements MetricSettings {
  /** Checks the numbers. */
  RecommendationSettings {
    new RecommendationMetric(on, scores, top, liked);
  }

  /** Ten items, of which those of 4 stars or more are relevant. */
  public RecommendationSettings(String on, String scores) {
    this(on, scores, 10, 4);
  }

  @Override
  public Metric make(Dataset data) {
    if (!(data instanceof RatedItems ratings)) {
      throw new IllegalArgumentException(
          "metric: recommendation needs data of the kind rated_items");
    }
    if (top > ratings.items()) {
      throw new IllegalArgumentException(
          "metric: top is %d, expected at most %d, the number of items"
              .formatted(top, ratings.items()));
    }
    for (Split split : new Split[] {Split.VALIDATION, Split.TEST}) {
      double highest = ratings.highest(split);
      if (liked > highest) {
        throw new IllegalArgumentException(
            "metric: liked is %s, expected at most %s, the highest %s rating"
                .formatted(liked, highest, split));
      }
    }
    return new RecommendationMetric(on, scores, top, liked);
  }
}
