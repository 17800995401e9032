package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.metric.ClassificationMetric;
import org.structkd.metric.Metric;

/**
 * {@code {kind: classification}}: how often the class of an image is named right.
 *
 * @param on tap with class scores [B, K]
 */
record ClassificationSettings(String on) implements MetricSettings {
  @Override
  public Metric make(Dataset data) {
    Classes.of(data, "metric: classification");
    return new ClassificationMetric(on, data.classNames());
  }
}
