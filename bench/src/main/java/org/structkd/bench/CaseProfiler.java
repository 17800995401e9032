package org.structkd.bench;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.profile.InternalProfiler;
import org.openjdk.jmh.results.AggregationPolicy;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.ScalarResult;

/** Carries what set-up measured from the measuring JVM into JMH's results. */
public final class CaseProfiler implements InternalProfiler {
  private static final Map<String, Double> REPORTED = new LinkedHashMap<>();

  /** Adds a figure beside the times; the largest over all forks counts. */
  static void report(String metric, double value) {
    REPORTED.put(metric, value);
  }

  @Override
  public String getDescription() {
    return "memory and error of a case";
  }

  @Override
  public void beforeIteration(BenchmarkParams benchmark, IterationParams iteration) {}

  @Override
  public Collection<? extends Result<?>> afterIteration(
      BenchmarkParams benchmark, IterationParams iteration, IterationResult result) {
    List<ScalarResult> results = new ArrayList<>();
    REPORTED.forEach(
        (metric, value) -> results.add(new ScalarResult(metric, value, "", AggregationPolicy.MAX)));
    return results;
  }
}
