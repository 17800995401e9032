package org.structkd.bench;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
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

/** A training step takes seconds on a CPU: single shots. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(
    value = 1,
    jvmArgs = {
      "-Xms1g",
      "-Xmx1g",
      "-XX:+AlwaysPreTouch",
      "-Dorg.bytedeco.javacpp.maxbytes=0",
      "-Dorg.bytedeco.javacpp.maxphysicalbytes=0"
    })
public class TrainingStepBenchmark {
  private static final String ALL = "all";

  /** Without distillation, with eager compositions of the losses, with ours. */
  @Param({"supervised", "eager", "structkd"})
  public String provider;

  /** Batch normalisation of one pooled pixel needs two images. */
  @Param("2x3x512x512")
  public String shape;

  /** Losses of distillation, joined as {@link #joined} does. */
  @Param(ALL)
  public String ids;

  private TrainingStep step;

  /** Ids as one parameter, in which commas would begin others; without any all losses. */
  static String joined(List<String> ids) {
    return ids.isEmpty() ? ALL : String.join("+", ids);
  }

  /** Makes network and inputs, and compares the providers before any time is taken. */
  @Setup(Level.Trial)
  public void setUp() {
    long[] sizes = CaseShape.parse(shape).sizes();
    List<MeasuredLoss> losses =
        ids.equals(ALL)
            ? MeasuredLoss.all()
            : Arrays.stream(ids.split("\\+")).map(MeasuredLoss::of).toList();
    step = new TrainingStep(losses, sizes[0], sizes[2], sizes[3]); // no scope: the network stays
    step.requireEqualProviders();
  }

  /** Forward, losses, backward. */
  @Benchmark
  @Warmup(iterations = 1)
  @Measurement(iterations = 4)
  public double step() {
    return step.step(provider);
  }

  /** The distillation losses of the step alone, value and gradient. */
  @Benchmark
  @Warmup(iterations = 3)
  @Measurement(iterations = 20)
  public double losses() {
    return provider.equals("supervised") ? 0 : step.losses(provider);
  }
}
