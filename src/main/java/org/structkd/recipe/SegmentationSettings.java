package org.structkd.recipe;

import java.util.OptionalLong;
import org.structkd.data.Dataset;
import org.structkd.data.SceneBatches;
import org.structkd.metric.Metric;
import org.structkd.metric.SegmentationMetric;

/**
 * {@code {kind: segmentation}}: mean intersection over union, and pixel accuracy. Pixels of the
 * label 255 do not count.
 *
 * @param on tap with class scores [B, K, H, W] at the size of the labels
 */
record SegmentationSettings(String on) implements MetricSettings {
  @Override
  public Metric make(Dataset data) {
    Classes.of(data, "metric: segmentation");
    return new SegmentationMetric(on, data.classNames(), OptionalLong.of(SceneBatches.UNLABELLED));
  }
}
