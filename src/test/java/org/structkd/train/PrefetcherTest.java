package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;

class PrefetcherTest {
  private static final Batch BATCH = Batch.of(torch.zeros(1), torch.zeros(1));

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
          return () -> BATCH;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 7, 100, new StopSignal())) {
      assertTrue(full.await(20, TimeUnit.SECONDS));
      Thread.sleep(50); // would let one without bound run on
      assertEquals(List.of(7L, 8L, 9L, 10L, 11L), prepared);
      prefetcher.take(7);
    }
  }

  /** Steps that take longer than the preparation of a batch are not held up by it. */
  @Test
  void whoTakesWhatIsReadyDoesNotWait() throws InterruptedException {
    CountDownLatch full = new CountDownLatch(4);
    BatchSource source =
        step -> {
          Thread.sleep(2);
          full.countDown();
          return () -> BATCH;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 0, 4, new StopSignal())) {
      assertTrue(full.await(20, TimeUnit.SECONDS));
      Thread.sleep(50); // the last one lies in the queue, too
      for (int step = 0; step < 4; step++) {
        prefetcher.take(step);
      }
      Loading loading = prefetcher.loading();
      assertEquals(0, loading.waitedNanos());
      assertEquals(4, loading.batches());
      assertEquals(4 * BATCH.inputs().get("images").size(0), loading.examples());
      assertTrue(loading.preparedNanos() >= 4 * 2_000_000, loading.toString());
    }
  }

  @Test
  void aFailureComesAtItsStep() throws InterruptedException {
    BatchSource source =
        step -> {
          if (step == 1) {
            throw new IOException("torn");
          }
          return () -> BATCH;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 0, 3, new StopSignal())) {
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
          return () -> BATCH;
        };
    Prefetcher prefetcher = new Prefetcher(source, 0, 100, new StopSignal());
    started.await();
    prefetcher.close();
    thread[0].join(20_000);
    assertFalse(thread[0].isAlive());
  }

  @ParameterizedTest
  @ValueSource(classes = {OutOfMemoryError.class, AssertionError.class, NoClassDefFoundError.class})
  void anErrorComesAtItsStepAsWell(Class<? extends Error> kind) throws Exception {
    Error error = kind.getDeclaredConstructor().newInstance();
    BatchSource source =
        step -> {
          throw error;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 3, 5, new StopSignal())) {
      IllegalStateException told =
          assertThrows(IllegalStateException.class, () -> prefetcher.take(3));
      assertSame(error, told.getCause());
      assertTrue(told.getMessage().contains("step 3"), told.getMessage());
    }
  }

  @Test
  void nothingInsteadOfABatchIsSaid() {
    try (Prefetcher prefetcher = new Prefetcher(step -> null, 0, 1, new StopSignal())) {
      IllegalStateException error =
          assertThrows(IllegalStateException.class, () -> prefetcher.take(0));
      assertTrue(error.getMessage().contains("BatchSource.prepare returned null"));
    }
    try (Prefetcher prefetcher = new Prefetcher(step -> () -> null, 0, 1, new StopSignal())) {
      IllegalStateException error =
          assertThrows(IllegalStateException.class, () -> prefetcher.take(0));
      assertTrue(error.getMessage().contains("Prepared.tensors returned null"));
    }
  }

  @Test
  void aStopSignalEndsTheWaitForASourceThatBlocks() throws InterruptedException {
    CountDownLatch never = new CountDownLatch(1);
    StopSignal stop = new StopSignal();
    BatchSource source =
        step -> {
          stop.request();
          never.await();
          return () -> BATCH;
        };
    try (Prefetcher prefetcher = new Prefetcher(source, 0, 1, stop)) {
      assertNull(prefetcher.take(0));
    }
  }
}
