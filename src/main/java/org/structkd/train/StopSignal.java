package org.structkd.train;

/**
 * Asks a training to end early: it finishes the step it is in, saves a checkpoint and returns. Safe
 * for all threads.
 */
public final class StopSignal {
  private volatile boolean requested;

  /** Creates a signal that nobody has given. */
  public StopSignal() {}

  /** Gives the signal. */
  public void request() {
    requested = true;
  }

  /** {@return whether it was given} */
  public boolean isRequested() {
    return requested;
  }
}
