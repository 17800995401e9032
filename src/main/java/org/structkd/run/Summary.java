package org.structkd.run;

import java.util.Arrays;

/**
 * Mean and spread of a measurement over seeds.
 *
 * @param values one per seed, at least one
 */
record Summary(double... values) {
  double mean() {
    return Arrays.stream(values).average().orElseThrow();
  }

  /** Sample standard deviation (divisor n - 1); NaN for one value. */
  double deviation() {
    double mean = mean();
    double squares = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
    return values.length < 2 ? Double.NaN : Math.sqrt(squares / (values.length - 1));
  }

  /** Standard deviation of the mean; NaN for one value. */
  double standardError() {
    return deviation() / Math.sqrt(values.length);
  }

  /** "0.4321" or, with the standard deviation, "0.4321 ± 0.0021". */
  @Override
  public String toString() {
    return values.length < 2
        ? "%.4f".formatted(mean())
        : "%.4f ± %.4f".formatted(mean(), deviation());
  }

  /** "+0.0321" or, with the standard error, "+0.0321 ± 0.0021": the text of a paired difference. */
  String asDifference() {
    return values.length < 2
        ? "%+.4f".formatted(mean())
        : "%+.4f ± %.4f".formatted(mean(), standardError());
  }

  /** Each value minus that of the other with the same seed. */
  Summary minus(Summary other) {
    double[] differences = new double[values.length];
    for (int i = 0; i < differences.length; i++) {
      differences[i] = values[i] - other.values[i];
    }
    return new Summary(differences);
  }
}
