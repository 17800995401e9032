package org.structkd.bench;

import java.util.concurrent.TimeUnit;
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
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.structkd.internal.NativeLoader;
import org.structkd.loss.PairwiseLoss;

/**
 * What this library adds to the start of a program that has LibTorch running already. Each JVM can
 * load only once. The files lie in JavaCPP's cache from the JVM before.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 0)
@Measurement(iterations = 1)
@Fork(
    value = 9,
    warmups = 1, // fills the cache
    jvmArgs = {"-Dorg.bytedeco.javacpp.maxbytes=0", "-Dorg.bytedeco.javacpp.maxphysicalbytes=0"})
public class LoadBenchmark {
  private Tensor student;
  private Tensor teacher;

  /** LibTorch with its thread pool: an operator large enough for all threads. */
  @Setup(Level.Trial)
  public void startLibTorch() {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor map = torch.randn(1, 8, 256, 256).set_requires_grad(true);
      map.exp().sum().backward();
      student = torch.randn(1, 8, 16, 16).set_requires_grad(true).retainReference();
      teacher = torch.randn(1, 8, 16, 16).retainReference();
    }
  }

  /** The libraries alone. */
  @Benchmark
  public void load() {
    NativeLoader.require();
  }

  /** The libraries and the first loss of a small map. */
  @Benchmark
  public double loadAndFirstCall() {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor loss = PairwiseLoss.skdCvpr19().forward(student, teacher);
      loss.backward();
      return loss.item_double();
    }
  }
}
