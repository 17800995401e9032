package org.structkd.bench;

import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.util.Statistics;

/**
 * What was measured of one loss at one size with one provider.
 *
 * @param p20 milliseconds: a fifth of the calls took at most as long
 * @param p50 milliseconds, median
 * @param p80 milliseconds
 * @param peakMebibytes peak memory of a call beside inputs and gradient; NaN: not measured
 * @param gradientError relative L2 error against the f64 reference
 */
record Figure(
    Loss loss,
    String shape,
    String provider,
    double p20,
    double p50,
    double p80,
    double peakMebibytes,
    double gradientError) {
  static Figure of(Loss loss, RunResult result) {
    Statistics times = result.getPrimaryResult().getStatistics();
    return new Figure(
        loss,
        result.getParams().getParam("shape"),
        result.getParams().getParam("provider"),
        times.getPercentile(20),
        times.getPercentile(50),
        times.getPercentile(80),
        result.getSecondaryResults().get("memory_mib").getScore(),
        result.getSecondaryResults().get("gradient_error").getScore());
  }
}
