package org.structkd.train;

import java.io.IOException;

/**
 * Reads and writes files whole on a thread that may be interrupted: Java closes the channel of a
 * file under an interrupted thread, and the file would be half.
 */
final class Uninterrupted {
  private Uninterrupted() {}

  /** Something that can be done again when it was cut short. */
  interface FileWork {
    void run() throws IOException;
  }

  /** Runs the work with the thread's interrupt flag put aside; it is set again afterwards. */
  static void run(FileWork work) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try {
          work.run();
          return;
        } catch (IOException e) {
          if (!Thread.interrupted()) {
            throw e;
          }
          interrupted = true; // it came meanwhile: the work is done once more
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
