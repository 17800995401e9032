package org.structkd.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;

/** One call of one provider on one size; a wrong result gets no time. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime) // keeps the distribution: p20, p50 and p80 go into the table
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(
    jvmArgs = {
      "-Xms512m",
      "-Xmx512m",
      "-XX:+AlwaysPreTouch",
      // LibTorch's memory is not on Java's heap: no hidden System.gc() in the measured calls.
      "-Dorg.bytedeco.javacpp.maxbytes=0",
      "-Dorg.bytedeco.javacpp.maxphysicalbytes=0"
    })
public class LossBenchmark {
  /** System property: the file into which set-up writes what the library chose. */
  static final String PLAN_FILE = "structkd.bench.plan";

  /** System properties: the largest errors that pass. */
  static final String VALUE_LIMIT = "structkd.bench.value_limit";

  static final String GRADIENT_LIMIT = "structkd.bench.gradient_limit";

  /** System property: "true" where the call that set-up checks is the only one. */
  static final String ONCE = "structkd.bench.once";

  // JMH insists on defaults; CpuBench gives the values.
  @Param("")
  public String loss;

  @Param("")
  public String shape;

  @Param("")
  public String provider;

  @Param("")
  public String mode;

  private LossCase lossCase;
  private Pass pass;
  private double onlyValue = Double.NaN;

  /** Memory first, while the process is fresh; then the result, before any time is taken. */
  @Setup(Level.Trial)
  public void setUp() throws IOException {
    MeasuredLoss measured = MeasuredLoss.of(loss);
    pass = Pass.of(mode);
    // Costs nothing, and loads and starts all that a call needs.
    LossCase.of(measured, CaseShape.parse(measured.listed().small()), provider).call(pass);
    lossCase = LossCase.of(measured, CaseShape.parse(shape), provider);
    LossCase.FirstCall first = lossCase.firstCall(pass);
    LossCase.Errors limits =
        new LossCase.Errors(
            Double.parseDouble(System.getProperty(VALUE_LIMIT)),
            Double.parseDouble(System.getProperty(GRADIENT_LIMIT)));
    LossCase.Errors errors = lossCase.errors(pass, first.value()).requireWithin(limits);
    CaseProfiler.report("memory_mib", first.peakMebibytes());
    CaseProfiler.report("value_error", errors.value());
    CaseProfiler.report("gradient_error", errors.gradient());
    if (Boolean.getBoolean(ONCE)) {
      CaseProfiler.report("once_ms", first.milliseconds());
      onlyValue = first.value();
    }
    if (provider.startsWith("structkd")) {
      lossCase.requireEqualRepeat(pass, first.value());
      Files.writeString(Path.of(System.getProperty(PLAN_FILE)), NativeCall.of(NativeOps::lastPlan));
    }
  }

  /** One call as in a training step. */
  @Benchmark
  public double call() {
    return Double.isNaN(onlyValue) ? lossCase.call(pass) : onlyValue;
  }
}
