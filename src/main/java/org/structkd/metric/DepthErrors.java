package org.structkd.metric;

import java.util.Arrays;

/**
 * How far depths are from the true ones, over the pixels of one image.
 *
 * <pre>{@code
 * abs_rel  = mean |d - t| / t           sq_rel = mean (d - t)^2 / t
 * rmse     = sqrt(mean (d - t)^2)       rmse_log = sqrt(mean (ln d - ln t)^2)
 * delta_k  = share of pixels with max(d / t, t / d) < 1.25^k
 * }</pre>
 *
 * <p>Source: D. Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep
 * Network", NIPS 2014, arXiv 1406.2283.
 *
 * @param absRel no unit
 * @param sqRel in the unit of depth
 * @param rmse in the unit of depth
 * @param rmseLog no unit
 * @param delta shares for k of 1, 2 and 3; not copied
 */
record DepthErrors(double absRel, double sqRel, double rmse, double rmseLog, double[] delta) {
  private static final double FACTOR = 1.25;

  /**
   * The errors of an image.
   *
   * @param depths above 0
   * @param truths above 0, as many
   */
  static DepthErrors of(double[] depths, double[] truths) {
    double abs = 0;
    double square = 0;
    double squares = 0;
    double logs = 0;
    double[] delta = new double[3];
    for (int i = 0; i < depths.length; i++) {
      double error = depths[i] - truths[i];
      double ratio = Math.log(depths[i]) - Math.log(truths[i]);
      double factor = Math.max(depths[i] / truths[i], truths[i] / depths[i]);
      abs += Math.abs(error) / truths[i];
      square += error * error / truths[i];
      squares += error * error;
      logs += ratio * ratio;
      double limit = FACTOR;
      for (int k = 0; k < delta.length; k++) {
        delta[k] += factor < limit ? 1 : 0;
        limit *= FACTOR;
      }
    }
    double n = depths.length;
    for (int k = 0; k < delta.length; k++) {
      delta[k] /= n;
    }
    return new DepthErrors(abs / n, square / n, Math.sqrt(squares / n), Math.sqrt(logs / n), delta);
  }

  /** {@return the middle of the values, the mean of the two middle ones of an even count} */
  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted); // NaN comes last
    int middle = sorted.length / 2;
    if (Double.isNaN(sorted[sorted.length - 1])) {
      return Double.NaN;
    }
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
