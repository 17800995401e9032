package org.structkd.testing;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Java's collector, with what JavaCPP does after it: native memory of unreachable pointers goes.
 */
public final class Collector {
  private Collector() {}

  /** A pointer without memory that tells when JavaCPP releases what it would point to. */
  private static final class Canary extends Pointer {
    Canary(CountDownLatch released) {
      deallocator(released::countDown);
    }
  }

  /** Collects until a pointer that was unreachable before has been released. */
  public static void run() {
    CountDownLatch released = new CountDownLatch(1);
    try {
      Thread abandons = new Thread(() -> new Canary(released)); // no scope of this thread holds it
      abandons.start();
      abandons.join();
      for (int tries = 0; !released.await(20, TimeUnit.MILLISECONDS); tries++) {
        if (tries == 100) {
          throw new AssertionError("Java's collector released nothing in 100 rounds");
        }
        System.gc();
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    Pointer.deallocateReferences(); // those that JavaCPP's thread has not come to yet
    overwriteFreedMemory();
  }

  /** Whoever still reads what was released reads ones. */
  private static void overwriteFreedMemory() {
    Tensor[] ones = new Tensor[2000];
    for (int i = 0; i < ones.length; i++) {
      ones[i] = torch.ones(1 + i % 100);
    }
    for (Tensor tensor : ones) {
      tensor.close();
    }
  }
}
