package org.structkd.train;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A file to which a listener appends while a training goes on. What a killed process wrote after
 * its last checkpoint is taken back when the training continues. Failures are unchecked, as
 * listeners throw them, and name the file.
 */
final class LogFile {
  private final Path file;
  private @Nullable OutputStream out;

  LogFile(Path file) {
    this.file = file;
  }

  /**
   * Begins to append.
   *
   * @param cutBack leaves the file as it was at the training's checkpoint
   */
  void open(Uninterrupted.FileWork cutBack) {
    try {
      Uninterrupted.run(cutBack);
      // Not a channel: an interrupt of the thread would close it.
      out = new FileOutputStream(file.toFile(), true);
    } catch (IOException e) {
      throw failure(e);
    }
  }

  void append(byte[] bytes) {
    try {
      out.write(bytes);
    } catch (IOException e) {
      throw failure(e);
    }
  }

  /** Ends; nothing if it never began. */
  void close() {
    try {
      if (out != null) {
        out.close();
      }
    } catch (IOException e) {
      throw failure(e);
    }
  }

  private UncheckedIOException failure(IOException e) {
    return new UncheckedIOException(file + " cannot be written: " + AtomicFile.reason(e), e);
  }
}
