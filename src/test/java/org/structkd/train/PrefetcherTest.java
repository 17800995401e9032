package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PrefetcherTest {
  @Test
  void preparesInOrderOnAnotherThreadAndNotFarAhead() throws InterruptedException {
    List<Long> prepared = new CopyOnWriteArrayList<>();
    CountDownLatch full = new CountDownLatch(5); // four that wait and one in hand
    Thread caller = Thread.currentThread();
    BatchSource source =
        step -> {
          assertNotEquals(caller, Thread.currentThread());
          prepared.add(step);
          full.countDown();
          return () -> null;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 7, 100)) {
      assertTrue(full.await(20, TimeUnit.SECONDS));
      Thread.sleep(50); // would let one without bound run on
      assertEquals(List.of(7L, 8L, 9L, 10L, 11L), prepared);
      prefetcher.take(7);
    }
  }

  @Test
  void aFailureComesAtItsStep() throws InterruptedException {
    BatchSource source =
        step -> {
          if (step == 1) {
            throw new IOException("torn");
          }
          return () -> null;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 0, 3)) {
      prefetcher.take(0);
      IllegalStateException error =
          assertThrows(IllegalStateException.class, () -> prefetcher.take(1));
      assertEquals("torn", error.getCause().getMessage());
      prefetcher.take(2);
    }
  }

  @Test
  void closingEndsTheThread() throws InterruptedException {
    CountDownLatch started = new CountDownLatch(1);
    Thread[] thread = new Thread[1];
    BatchSource source =
        step -> {
          thread[0] = Thread.currentThread();
          started.countDown();
          return () -> null;
        };
    Prefetcher prefetcher = new Prefetcher(source, 0, 100);
    started.await();
    prefetcher.close();
    thread[0].join(20_000);
    assertFalse(thread[0].isAlive());
  }
}
