package org.structkd.train;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Replaces a file as a whole: whoever looks, and whenever the power fails, finds the old content or
 * the new one.
 */
public final class AtomicFile {
  /** Ending of the file beside it that is written first. */
  static final String ASIDE = ".part";

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
   * Writes beside the file, forces that to the disk, and renames it.
   *
   * @param file to create or replace; its folder must exist
   * @param content what shall be in it
   * @throws IOException if the disk is full or the folder cannot be written; the old file stays
   */
  public static void write(Path file, Content content) throws IOException {
    Path aside = file.resolveSibling(file.getFileName() + ASIDE);
    try {
      try (FileChannel channel =
          FileChannel.open(
              aside,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
        content.writeTo(out);
        out.flush();
        channel.force(true);
      }
      Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      deleteQuietly(aside);
      throw new IOException(file + " cannot be written: " + reason(e), e);
    } catch (RuntimeException e) {
      deleteQuietly(aside);
      throw e;
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
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
