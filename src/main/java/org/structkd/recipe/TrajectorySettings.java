package org.structkd.recipe;

import org.structkd.data.CrowdDataset;
import org.structkd.data.Dataset;
import org.structkd.metric.Metric;
import org.structkd.metric.TrajectoryMetric;

/**
 * {@code {kind: trajectory}}: displacement errors in metres, and how often the entry into a zone is
 * foreseen, see {@link TrajectoryMetric}.
 *
 * @param on tap with predicted places [B, P, 2]
 */
record TrajectorySettings(String on) implements MetricSettings {
  @Override
  public Metric make(Dataset data) {
    if (!(data instanceof CrowdDataset)) {
      throw new IllegalArgumentException("metric: trajectory needs data of the kind crowds");
    }
    return new TrajectoryMetric(on);
  }
}
