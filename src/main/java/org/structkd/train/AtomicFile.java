package org.structkd.train;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;

/**
 * Replaces a file as a whole: whoever looks, and whenever the power fails, finds the old content or
 * the new one.
 */
public final class AtomicFile {
  /** Ending of the file beside it that is written first. */
  static final String ASIDE = ".part";

  /** Far longer than writing takes: whoever holds the file longer does so on purpose. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private AtomicFile() {}

  /** Writes content to a stream. */
  @FunctionalInterface
  public interface Content {
    /**
     * Writes everything.
     *
     * @param out need not be closed
     * @throws IOException if it cannot
     */
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Writes beside the file, forces that to the disk, and renames it. Waits while another thread or
   * process does the same. An interrupt of the thread does not disturb it.
   *
   * @param file to create or replace; its folder must exist
   * @param content what shall be in it
   * @throws IOException if the disk is full or the folder cannot be written; the old file stays
   */
  public static void write(Path file, Content content) throws IOException {
    try (FileClaim claim = FileClaim.of(file, PATIENCE)) {
      write(claim, content);
    }
  }

  /** Replaces a file that is claimed already. */
  static void write(FileClaim claim, Content content) throws IOException {
    Path file = claim.file();
    Path aside = file.resolveSibling(file.getFileName() + ASIDE);
    boolean written = false;
    try {
      // Not a FileChannel: an interrupt of the thread would close it.
      try (FileOutputStream to = new FileOutputStream(aside.toFile())) {
        OutputStream out = new BufferedOutputStream(to, 1 << 16);
        content.writeTo(out);
        out.flush();
        to.getFD().sync();
      }
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE);
      written = true;
    } catch (IOException e) {
      throw new IOException(file + " cannot be written: " + reason(e), e);
    } finally {
      if (!written) {
        deleteQuietly(aside);
      }
    }
    forceFolder(file.toAbsolutePath().getParent());
  }

  /**
   * {@return why the file system refused, in words} Its own messages are often just the path.
   *
   * @param error what it threw
   */
  public static String reason(IOException error) {
    if (error instanceof NoSuchFileException) {
      return "its folder does not exist";
    }
    if (error instanceof FileAlreadyExistsException) {
      return "there is a file of this name";
    }
    if (error instanceof AccessDeniedException) {
      return "access denied";
    }
    if (error instanceof FileSystemException system && system.getReason() != null) {
      return system.getReason();
    }
    return String.valueOf(error.getMessage());
  }

  private static void deleteQuietly(Path aside) {
    try {
      Files.deleteIfExists(aside);
    } catch (IOException e) {
      // What failed before is what matters.
    }
  }

  /** Forces the new name to the disk, too. */
  private static void forceFolder(Path folder) throws IOException {
    boolean interrupted = false;
    try {
      while (true) {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
          channel.force(true);
          return;
        } catch (ClosedByInterruptException e) {
          interrupted |= Thread.interrupted(); // folders can be forced through channels only
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
