package org.structkd.bench;

import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.PointerScope;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What is equal for all losses: how they are timed, and that a wrong one is not. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime) // keeps the distribution: p20, p50 and p80 go into the table
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 3, // one JVM hides the spread between JVMs
    jvmArgs = {
      "-Xms1g",
      "-Xmx1g",
      "-XX:+AlwaysPreTouch",
      // LibTorch's memory is not on Java's heap: no hidden System.gc() in the measured calls.
      "-Dorg.bytedeco.javacpp.maxbytes=0",
      "-Dorg.bytedeco.javacpp.maxphysicalbytes=0"
    })
public abstract class LossBenchmark {
  /** Small enough to cost nothing, and a call on it loads and starts all that a call needs. */
  private static final CaseShape TINY = CaseShape.parse("1x8x4x4");

  /** What {@link CaseShape} reads. {@link Loss} has the lists; JMH insists on a default. */
  @Param("1x64x32x32")
  public String shape;

  /** The formula composed of LibTorch operators, or one call of this library. */
  @Param({"eager", "structkd"})
  public String provider;

  private LossCase lossCase;

  /** Makes the inputs; a call with this provider on them is what is timed. */
  abstract LossCase newCase(String provider, CaseShape shape);

  /**
   * Providers whose results are to be equal share one reference result; a name for each such set.
   */
  String truthName(String provider) {
    return "all";
  }

  /** Memory first, while the process is fresh; then the result, before any time is taken. */
  @Setup(Level.Trial)
  public void setUp() {
    try (PointerScope temporaries = new PointerScope()) {
      newCase(provider, TINY).valueAndGradient();
      lossCase = newCase(provider, CaseShape.parse(shape));
    }
    CaseProfiler.report("memory_mib", lossCase.peakExtraMebibytes());
    CaseProfiler.report("gradient_error", lossCase.requireCloseToReference(truthName(provider)));
  }

  /** One call as in a training step. */
  @Benchmark
  public double valueAndGradient() {
    return lossCase.valueAndGradient();
  }
}
