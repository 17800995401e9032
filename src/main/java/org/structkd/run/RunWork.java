package org.structkd.run;

import java.io.IOException;

/** What a command does in its run folder, ready to begin: all it needs is loaded and checked. */
public interface RunWork extends AutoCloseable {
  /**
   * Does the work, or what is left of it.
   *
   * @param folder of the run
   * @throws Stopped if a signal ended it; the state is saved
   */
  void run(RunFolder folder) throws IOException;

  /** Releases what was loaded. */
  @Override
  void close();

  /** A signal ended a run between two steps; its state is saved. */
  final class Stopped extends RuntimeException {
    private static final long serialVersionUID = 1;
  }
}
