package org.structkd.recipe;

import org.structkd.data.Dataset;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.metric.Metric;
import org.structkd.metric.SuperResolutionMetric;

/**
 * The metric {@code {kind: super_resolution}}: PSNR and SSIM, see {@link SuperResolutionMetric}. It
 * is no {@code ...Settings}, as the data of this kind are called so.
 *
 * @param on tap with images in high resolution
 */
record SuperResolution(String on) implements MetricSettings {
  @Override
  public Metric make(Dataset data) {
    if (!(data instanceof SuperResolutionDataset pictures)) {
      throw new IllegalArgumentException(
          "metric: super_resolution needs data of the kind super_resolution");
    }
    return new SuperResolutionMetric(on, pictures.config().scale());
  }
}
