package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.metric.Metric;

/** The choice {@code metric}: how answers are judged. */
public sealed interface MetricSettings
    permits SegmentationSettings,
        RatingSettings,
        RecommendationSettings,
        ClassificationSettings,
        SuperResolution,
        DepthSettings,
        TrajectorySettings {
  /**
   * {@return the metric}
   *
   * @param data what is evaluated on
   * @throws IllegalArgumentException if such data cannot be judged by it
   */
  Metric make(Dataset data);
}
