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
import org.structkd.loss.MapLoss;

/** What a call costs where there is next to nothing to compute: maps of two nodes. */
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
  static final String JNI = "jni";
  static final String LIBTORCH = "libtorch";

  /** Over one node losses are constant and refused. */
  private static final CaseShape TWO_NODES =
      new CaseShape(new long[] {1, 8, 1, 2}, false, false, "");

  /**
   * A native function that returns a constant, one operator of LibTorch, or a loss; always given.
   */
  @Param("")
  public String callee;

  /** Whether the student requires a gradient: the call then makes a node of the graph. */
  @Param({"false", "true"})
  public boolean graph;

  private Supplier<?> call;

  /** Makes inputs. */
  @Setup(Level.Trial)
  public void setUp() {
    Tensor student = torch.randn(TWO_NODES.sizes()).set_requires_grad(graph);
    Tensor teacher = torch.randn(TWO_NODES.sizes());
    call = callOf(callee, student, teacher);
  }

  private static Supplier<?> callOf(String callee, Tensor student, Tensor teacher) {
    if (callee.equals(JNI)) {
      return () -> NativeCall.of(NativeOps::poolMaxIdleBytes);
    }
    if (callee.equals(LIBTORCH)) {
      return student::neg;
    }
    MapLoss loss = MeasuredLoss.of(callee).formulas().ours(TWO_NODES);
    return () -> loss.forward(student, teacher);
  }

  /** One call and the end of its scope. */
  @Benchmark
  public Object call() {
    try (PointerScope temporaries = new PointerScope()) {
      return call.get();
    }
  }
}
