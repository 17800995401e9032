package org.structkd.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.structkd.train.StopSignal;

/**
 * Turns Ctrl-C and SIGTERM into a {@link StopSignal} and holds the process until the command has
 * saved its state.
 *
 * <p>The JVM answers a signal by starting its shutdown hooks, and exits with 128 + the signal's
 * number once they end: 130 for Ctrl-C, 143 for SIGTERM. The hook must not wait for the main thread
 * to end, for that one may be inside System.exit, which waits for the hooks. So it waits for {@link
 * #close}.
 */
final class Interrupt implements AutoCloseable {
  /** Longest wait for a step, an evaluation and a checkpoint on a busy machine. */
  private static final long PATIENCE_SECONDS = 120;

  private final StopSignal stop = new StopSignal();
  private final CountDownLatch saved = new CountDownLatch(1);
  private final Thread hook = new Thread(this::stopAndWait, "structkd-interrupt");

  Interrupt() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void stopAndWait() {
    stop.request();
    try {
      if (!saved.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("structkd: gave up waiting; the checkpoint before this one is whole");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  StopSignal signal() {
    return stop;
  }

  /** Lets the process end. */
  @Override
  public void close() {
    saved.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The process is ending: the hook runs.
    }
  }
}
