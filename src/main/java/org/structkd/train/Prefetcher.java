package org.structkd.train;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/** Prepares batches ahead of the training, in order, on one thread of its own. */
final class Prefetcher implements AutoCloseable {
  /** Batches ready in advance: evens out a slow one without holding many. */
  private static final int AHEAD = 4;

  private record Entry(BatchSource.@Nullable Prepared batch, @Nullable Exception failure) {}

  private final BlockingQueue<Entry> ready = new ArrayBlockingQueue<>(AHEAD);
  private final Thread thread;
  private long waitedNanos;

  /** Starts with the batch of step {@code first}; ends before {@code end}. */
  Prefetcher(BatchSource source, long first, long end) {
    thread = new Thread(() -> fill(source, first, end), "structkd-prefetch");
    thread.setDaemon(true);
    thread.start();
  }

  private void fill(BatchSource source, long first, long end) {
    try {
      for (long step = first; step < end; step++) {
        ready.put(entry(source, step));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // closed
    }
  }

  private static Entry entry(BatchSource source, long step) {
    try {
      return new Entry(source.prepare(step), null);
    } catch (Exception e) {
      return new Entry(null, e);
    }
  }

  /**
   * {@return the next batch}
   *
   * @throws IllegalStateException with the cause, if the source failed
   */
  BatchSource.Prepared take(long step) throws InterruptedException {
    Entry entry = ready.poll();
    if (entry == null) {
      long start = System.nanoTime();
      entry = ready.take();
      waitedNanos += System.nanoTime() - start;
    }
    if (entry.batch == null) {
      throw new IllegalStateException("no batch for step " + step, entry.failure);
    }
    return entry.batch;
  }

  /** {@return how long the training had to wait for batches} */
  long waitedNanos() {
    return waitedNanos;
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
