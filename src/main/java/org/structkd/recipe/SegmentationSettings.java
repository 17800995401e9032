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
 * @param resized whether scores of another size are brought to that of the labels, bilinearly, as
 *     of a teacher that sees another resolution
 */
record SegmentationSettings(String on, boolean resized) implements MetricSettings {
  /** Scores must have the size of the labels. */
  public SegmentationSettings(String on) {
    this(on, false);
  }

  @Override
  public Metric make(Dataset data) {
    Classes.of(data, "metric: segmentation");
    return new SegmentationMetric(
        on, data.classNames(), OptionalLong.of(SceneBatches.UNLABELLED), resized);
  }
}
