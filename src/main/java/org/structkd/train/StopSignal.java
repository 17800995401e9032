package org.structkd.train;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks a training to end early: it finishes the step it is in, saves a checkpoint and returns. Safe
 * for all threads.
 *
 * <pre>{@code
 * try (StopSignal stop = StopSignal.onSignals()) { // Ctrl-C and SIGTERM give it
 *   distiller.withStop(stop).train(student);
 * }
 * }</pre>
 */
public final class StopSignal implements AutoCloseable {
  private final @Nullable Shutdown shutdown;
  private volatile boolean requested;

  /** Creates a signal that nobody has given. */
  public StopSignal() {
    shutdown = null;
  }

  private StopSignal(boolean onSignals) {
    shutdown = new Shutdown();
    Runtime.getRuntime().addShutdownHook(shutdown.hook);
  }

  /**
   * Creates a signal that is given when the process shall end: by Ctrl-C, by SIGTERM, or by {@code
   * System.exit} on another thread. The process then waits until the signal is closed, at most two
   * minutes, so that what the training saves is saved; its exit status is 128 + the signal's
   * number, 130 for Ctrl-C and 143 for SIGTERM.
   *
   * <p>Until it is closed it is a shutdown hook of this JVM. Close it on the thread that trains,
   * after what must be written is written, and call {@code System.exit} only afterwards.
   *
   * @return the signal, to be closed
   */
  public static StopSignal onSignals() {
    return new StopSignal(true);
  }

  /** Gives the signal. */
  public void request() {
    requested = true;
  }

  /** {@return whether it was given} */
  public boolean isRequested() {
    return requested;
  }

  /** Lets the process end, where it waits for this; may be called again. */
  @Override
  public void close() {
    if (shutdown != null) {
      shutdown.release();
    }
  }

  /**
   * Holds the end of the process back.
   *
   * <p>The JVM answers a signal by starting its shutdown hooks, and exits with 128 + the signal's
   * number once they end. The hook must not wait for the main thread to end, for that one may be
   * inside System.exit, which waits for the hooks. So it waits for {@link StopSignal#close}.
   */
  private final class Shutdown {
    /** Longest wait for a step, an evaluation and a checkpoint on a busy machine. */
    private static final long PATIENCE_SECONDS = 120;

    private static final Logger LOG = LoggerFactory.getLogger(StopSignal.class);

    private final CountDownLatch saved = new CountDownLatch(1);
    private final Thread hook = new Thread(this::stopAndWait, "structkd-stop");

    private void stopAndWait() {
      request();
      try {
        if (!saved.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          LOG.warn(
              "gave up waiting for the training after {} s; the checkpoint before this one is"
                  + " whole",
              PATIENCE_SECONDS);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void release() {
      saved.countDown();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // The process is ending: the hook runs.
      }
    }
  }
}
