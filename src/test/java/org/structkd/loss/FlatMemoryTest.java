package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.internal.NativeOps;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.MadeInputs;

/** Native memory stays flat over many calls; -Dstructkd.calls=1000000 asks for more of them. */
@SuppressWarnings("try") // scopes are opened, not read
class FlatMemoryTest {
  private static final int CALLS = Integer.getInteger("structkd.calls", 100_000);
  private static final int WARM_UP = 20_000;

  /** The smallest block of malloc: who loses one in every call exceeds this. */
  private static final long BYTES_PER_CALL = 32;

  private static int threads;

  static List<LossUnderTest> losses() {
    return LossUnderTest.kernels();
  }

  /** A parallel region costs more than such a small loss, above all on a machine that is busy. */
  @BeforeAll
  static void useOneThread() {
    threads = torch.get_num_threads();
    torch.set_num_threads(1);
  }

  /** Memory of a growing heap would count as that of native code. */
  @BeforeAll
  static void requireConstantHeap() {
    Runtime jvm = Runtime.getRuntime();
    assertTrue(
        jvm.totalMemory() == jvm.maxMemory(),
        "start the JVM as Maven does: -Xms and -Xmx alike, and -XX:+AlwaysPreTouch");
  }

  @AfterAll
  static void useAllThreads() {
    torch.set_num_threads(threads);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void manyCallsKeepNativeMemoryFlat(LossUnderTest loss) {
    try (PointerScope scope = new PointerScope()) {
      LossInputs inputs = loss.inputs(new MadeInputs.Sizes(1, 2, 2, 2));
      UnaryOperator<Tensor> f32 = MadeInputs.to(ScalarType.Float);
      LossInputs in = LossUnderTest.leaves(MadeInputs.changed(inputs, f32, f32));
      call(loss, in, WARM_UP); // JIT, young generation, pool
      long objects = Pointer.totalCount();
      long resident = Pointer.physicalBytes();
      call(loss, in, CALLS);
      long grown = Pointer.physicalBytes() - resident;
      assertTrue(grown < CALLS * BYTES_PER_CALL, loss + " grew by " + grown + " bytes");
      long left = Pointer.totalCount() - objects;
      assertTrue(left <= 0, loss + " left " + left + " native objects");
      assertTrue(NativeOps.poolIdleBytes() <= NativeOps.poolMaxIdleBytes());
    }
  }

  private static void call(LossUnderTest loss, LossInputs in, int times) {
    for (int i = 0; i < times; i++) {
      try (PointerScope scope = new PointerScope()) {
        loss.forward(in).backward();
        in.student().values().forEach(student -> student.mutable_grad().reset());
      }
    }
  }
}
