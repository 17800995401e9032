package org.structkd.bench;

import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
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
import org.structkd.internal.NativeCall;
import org.structkd.internal.NativeOps;
import org.structkd.loss.GlobalStructuralLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PixelwiseLoss;
import org.structkd.loss.Sampling;

/** What a call costs where there is next to nothing to compute: maps of one node. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(
    value = 1,
    jvmArgs = {
      "-Xms1g",
      "-Xmx1g",
      "-XX:+AlwaysPreTouch",
      "-Dorg.bytedeco.javacpp.maxbytes=0",
      "-Dorg.bytedeco.javacpp.maxphysicalbytes=0"
    })
public class CallBenchmark {
  private static final long CHANNELS = 8;
  private static final long STEP = 1;

  /** A native function that returns a constant, one operator of LibTorch, or a loss. */
  @Param({
    "jni",
    "libtorch",
    "pixelwise",
    "pairwise",
    "inter_class_similarity",
    "global_structural"
  })
  public String callee;

  /** Whether the student requires a gradient: the call then makes a node of the graph. */
  @Param({"false", "true"})
  public boolean graph;

  private Supplier<?> call;

  /** Makes inputs of two nodes: over one, losses are constant and refused. */
  @Setup(Level.Trial)
  public void setUp() {
    Tensor student = torch.randn(1, CHANNELS, 1, 2).set_requires_grad(graph);
    Tensor teacher = torch.randn(1, CHANNELS, 1, 2);
    call = callOf(callee, student, teacher);
  }

  private static Supplier<?> callOf(String callee, Tensor student, Tensor teacher) {
    switch (callee) {
      case "jni":
        return () -> NativeCall.of(NativeOps::poolMaxIdleBytes);
      case "libtorch":
        return student::neg;
      case "pixelwise":
        var pixelwise = PixelwiseLoss.kd();
        return () -> pixelwise.forward(student, teacher);
      case "pairwise":
        var pairwise = PairwiseLoss.skdCvpr19();
        return () -> pairwise.forward(student, teacher);
      case "inter_class_similarity":
        var interClass = InterClassSimilarityLoss.paper();
        return () -> interClass.forward(student, teacher);
      case "global_structural":
        var structural =
            GlobalStructuralLoss.standard().withSampling(Sampling.all()).withGroupWidth(1);
        return () -> structural.forward(student, teacher, STEP);
      default:
        throw new IllegalArgumentException("callee is " + callee);
    }
  }

  /** One call and the end of its scope. */
  @Benchmark
  public Object call() {
    try (PointerScope temporaries = new PointerScope()) {
      return call.get();
    }
  }
}
