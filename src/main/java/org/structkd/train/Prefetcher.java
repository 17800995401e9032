package org.structkd.train;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;

/** Prepares batches ahead of the training, in order, on one thread of its own. */
final class Prefetcher implements AutoCloseable {
  /** Batches ready in advance: evens out a slow one without holding many. */
  private static final int AHEAD = 4;

  /** How often a training that waits looks at its stop signal: soon enough for who gave it. */
  private static final long STOP_POLL_MILLIS = 50;

  private record Entry(
      BatchSource.@Nullable Prepared batch, @Nullable Throwable failure, long nanos) {}

  private final BlockingQueue<Entry> ready = new ArrayBlockingQueue<>(AHEAD);
  private final StopSignal stop;
  private final Thread thread;
  private long batches;
  private long examples;
  private long preparedNanos;
  private long waitedNanos;

  /** Starts with the batch of step {@code first}; ends before {@code end}. */
  Prefetcher(BatchSource source, long first, long end, StopSignal stop) {
    this.stop = stop;
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

  /** An Error counts, too: whoever waits for the batch would wait for ever. */
  private static Entry entry(BatchSource source, long step) {
    long start = System.nanoTime();
    try {
      BatchSource.Prepared batch = source.prepare(step);
      return batch == null
          ? new Entry(null, new NullPointerException("BatchSource.prepare returned null"), 0)
          : new Entry(batch, null, System.nanoTime() - start);
    } catch (Throwable e) {
      return new Entry(null, e, 0);
    }
  }

  /**
   * {@return the next batch, or null if the stop signal was given before there was one}
   *
   * @throws IllegalStateException with the cause, if the source failed
   */
  @Nullable Batch take(long step) throws InterruptedException {
    Entry entry = ready.poll();
    if (entry == null) {
      long start = System.nanoTime();
      while (entry == null && !stop.isRequested()) {
        entry = ready.poll(STOP_POLL_MILLIS, TimeUnit.MILLISECONDS);
      }
      waitedNanos += System.nanoTime() - start;
    }
    if (entry == null) {
      return null;
    }
    if (entry.batch == null) {
      throw failure(step, entry.failure);
    }
    Batch batch = entry.batch.tensors();
    if (batch == null) {
      throw failure(step, new NullPointerException("Prepared.tensors returned null"));
    }
    batches++;
    examples += batch.inputs().values().iterator().next().size(0);
    preparedNanos += entry.nanos;
    return batch;
  }

  private static IllegalStateException failure(long step, Throwable cause) {
    return new IllegalStateException("no batch for step " + step + ": " + cause, cause);
  }

  /** {@return how the batches came that were taken so far} */
  Loading loading() {
    return new Loading(batches, examples, preparedNanos, waitedNanos);
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
