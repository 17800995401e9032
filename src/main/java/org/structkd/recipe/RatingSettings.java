package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.metric.Metric;
import org.structkd.metric.RatingMetric;

/**
 * {@code {kind: rating}}: root of the mean squared error, and mean absolute error, in stars.
 *
 * @param on tap with a rating for each pair of user and item
 */
record RatingSettings(String on) implements MetricSettings {
  @Override
  public Metric make(Dataset data) {
    return new RatingMetric(on);
  }
}
