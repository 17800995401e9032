package org.structkd.recipe;

import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Dataset;
import org.structkd.data.SceneBatches;
import org.structkd.metric.Metric;
import org.structkd.metric.SegmentationMetric;
import org.structkd.model.ScoreAveraging;
import org.structkd.model.SlidingWindow;

/**
 * {@code {kind: segmentation}}: mean intersection over union, and pixel accuracy. Pixels of the
 * label 255 do not count.
 *
 * @param on tap with class scores [B, K, H, W] at the size of the labels
 * @param resized whether scores of another size are brought to that of the labels, bilinearly, as
 *     of a teacher that sees another resolution
 * @param window in which images are looked at; null: as a whole
 * @param scales factors of the size at which images are looked at
 * @param flip whether they are also looked at mirrored
 * @param boundary tolerance of the boundary F-score as a share of an image's diagonal; 0: none
 */
record SegmentationSettings(
    String on,
    boolean resized,
    @Nullable SlidingWindow window,
    List<Double> scales,
    boolean flip,
    double boundary)
    implements MetricSettings {
  /** Checks the values. */
  public SegmentationSettings {
    scales = new ScoreAveraging(window, scales, flip).scales();
    SegmentationMetric.requireTolerance(boundary);
  }

  /** Scores of one look have the size of the labels, and areas alone count. */
  public SegmentationSettings(String on) {
    this(on, false, null, List.of(1.0), false, 0);
  }

  @Override
  public Metric make(Dataset data) {
    Classes.of(data, "metric: segmentation");
    return new SegmentationMetric(
        on,
        data.classNames(),
        OptionalLong.of(SceneBatches.UNLABELLED),
        resized,
        new ScoreAveraging(window, scales, flip),
        boundary);
  }
}
