package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.data.StereoDataset;
import org.structkd.metric.DepthMetric;
import org.structkd.metric.Metric;

/**
 * {@code {kind: depth}}: errors of depth, see {@link DepthMetric}.
 *
 * @param on tap with depths
 * @param scaling whether answers are scaled before they are judged
 * @param cap greatest true depth that counts, in metres; above 0
 */
record DepthSettings(String on, DepthMetric.Scaling scaling, double cap) implements MetricSettings {
  /** Checks the number. */
  DepthSettings {
    new DepthMetric(on, scaling, cap);
  }

  /** Scaled by the medians, up to 80 m, as is usual outdoors. */
  public DepthSettings(String on) {
    this(on, DepthMetric.Scaling.MEDIAN, 80);
  }

  @Override
  public Metric make(Dataset data) {
    if (!(data instanceof StereoDataset)) {
      throw new IllegalArgumentException("metric: depth needs data of the kind stereo");
    }
    return new DepthMetric(on, scaling, cap);
  }
}
