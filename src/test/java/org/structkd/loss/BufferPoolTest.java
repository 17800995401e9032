package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.structkd.internal.NativeOps;
import org.structkd.testing.InScope;

/** The pool of buffers holds no more than it promises and than it says, whatever maps come. */
@SuppressWarnings("try") // scopes are opened, not read
@InScope
class BufferPoolTest {
  private static final long MIB = 1 << 20;

  /** What malloc and LibTorch keep beside the pool. */
  private static final long SLACK = 64 * MIB;

  private final PixelwiseLoss loss = PixelwiseLoss.kd();
  private Tensor map;

  @BeforeEach
  void openScope() {
    map = torch.zeros(1, 2, 1, 6 << 20).to(ScalarType.Float); // 48 MiB
    withGradient(1).releaseReference(); // loads the library
    NativeOps.releasePool();
    assertEquals(0, NativeOps.poolIdleBytes());
  }

  @AfterEach
  void closeScope() {
    NativeOps.releasePool();
  }

  @Test
  void aBlockThatServedASmallerMapKeepsItsSize() {
    withGradient(map.size(3)).releaseReference();
    long idle = NativeOps.poolIdleBytes();
    assertTrue(idle >= 48 * MIB, "idle: " + idle);
    withGradient(map.size(3) * 5 / 8).releaseReference(); // more than half: takes the same block
    assertEquals(idle, NativeOps.poolIdleBytes());
    Tensor largest = withGradient(map.size(3)); // which still fits the largest map
    assertTrue(NativeOps.poolIdleBytes() < MIB, "idle: " + NativeOps.poolIdleBytes());
    largest.releaseReference();
  }

  @Test
  void mapsOfRandomSizesStayWithinTheLimit() {
    SplittableRandom random = new SplittableRandom(7);
    Deque<Tensor> held = new ArrayDeque<>();
    long before = Pointer.physicalBytes();
    for (int i = 0; i < 150; i++) {
      // 3 to 48 MiB, as many below 12 as above; several gradients live at a time, as in training
      held.add(withGradient((long) (map.size(3) * Math.pow(2, -4 * random.nextDouble()))));
      if (held.size() > 8) {
        held.remove().releaseReference();
      }
      assertTrue(NativeOps.poolIdleBytes() <= NativeOps.poolMaxIdleBytes());
    }
    held.forEach(Tensor::releaseReference);
    long idle = NativeOps.poolIdleBytes();
    long grown = Pointer.physicalBytes() - before;
    NativeOps.releasePool();
    long released = grown - (Pointer.physicalBytes() - before);
    String figures =
        "grown by %d MiB, %d said to be idle, %d released"
            .formatted(grown / MIB, idle / MIB, released / MIB);
    assertTrue(grown <= NativeOps.poolMaxIdleBytes() + SLACK, figures);
    assertTrue(Math.abs(released - idle) <= SLACK, figures);
  }

  /** A leaf whose gradient comes from the pool, and goes back there when the leaf is released. */
  private Tensor withGradient(long width) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor student = map.narrow(3, 0, width).detach().set_requires_grad(true);
      loss.forward(student, map.narrow(3, 0, width)).backward();
      student.retainReference();
      return student;
    }
  }
}
