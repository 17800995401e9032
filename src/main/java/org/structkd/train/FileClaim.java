package org.structkd.train;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileLock;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The right to write a file, of one holder at a time on this machine. It is a lock of the operating
 * system on a file beside it, {@code .NAME.lock}, which goes when the claim is closed; that of a
 * process that was killed binds nobody.
 */
final class FileClaim implements AutoCloseable {
  /** The wait between two tries of a claim: a file takes milliseconds to write. */
  private static final long RETRY_MILLIS = 5;

  /**
   * Claims of this process. The operating system's locks do not keep its own threads apart, and it
   * drops them when any stream of the process on that file is closed.
   */
  private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

  private final Path file;
  private final Path lockFile;
  private final RandomAccessFile open;

  private FileClaim(Path file, Path lockFile, RandomAccessFile open) {
    this.file = file;
    this.lockFile = lockFile;
    this.open = open;
  }

  /**
   * Claims a file.
   *
   * @param file need not exist, but its folder must
   * @param patience how long to wait for another holder to finish
   * @throws IOException if another holds it; says who. If the folder is missing or cannot be
   *     written
   */
  static FileClaim of(Path file, Duration patience) throws IOException {
    if (file.getFileName() == null || file.getFileName().toString().isEmpty()) {
      throw new IOException("\"" + file + "\" cannot be written: it names no file");
    }
    long end = System.nanoTime() + patience.toNanos();
    Path lockFile;
    try {
      Path folder = file.toAbsolutePath().getParent().toRealPath();
      lockFile = folder.resolve("." + file.getFileName() + ".lock");
      while (true) {
        FileClaim claim = tryClaim(file, lockFile);
        if (claim != null) {
          return claim;
        }
        if (System.nanoTime() - end >= 0) {
          break;
        }
        pause();
      }
    } catch (IOException e) {
      throw new IOException(file + " cannot be written: " + AtomicFile.reason(e), e);
    }
    throw new IOException(
        "%s is being written by %s: end that first, or name another file"
            .formatted(file, holderOf(lockFile)));
  }

  /** Sleeps under an interrupted thread, too, whose flag stays set. */
  private static void pause() {
    boolean interrupted = Thread.interrupted();
    try {
      Thread.sleep(RETRY_MILLIS);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static @Nullable FileClaim tryClaim(Path file, Path lockFile) throws IOException {
    if (!OWN.add(lockFile)) {
      return null;
    }
    FileClaim claim = null;
    try {
      claim = tryLock(file, lockFile);
      return claim;
    } finally {
      if (claim == null) {
        OWN.remove(lockFile);
      }
    }
  }

  private static @Nullable FileClaim tryLock(Path file, Path lockFile) throws IOException {
    try {
      Files.createFile(lockFile);
    } catch (FileAlreadyExistsException e) {
      // It belongs to another holder, or was left behind by one that was killed.
    }
    Object identity = identityOf(lockFile);
    // Not a FileChannel of its own: an interrupt of the thread would close it, and drop the lock.
    RandomAccessFile open = new RandomAccessFile(lockFile.toFile(), "rw");
    boolean held = false;
    try {
      FileLock lock = open.getChannel().tryLock();
      // A lock on a file that the holder before has removed is worth nothing.
      if (lock == null || identity == null || !identity.equals(identityOf(lockFile))) {
        return null;
      }
      open.setLength(0);
      open.writeBytes("process " + ProcessHandle.current().pid());
      held = true;
      return new FileClaim(file, lockFile, open);
    } finally {
      if (!held) {
        open.close();
      }
    }
  }

  private static @Nullable Object identityOf(Path lockFile) throws IOException {
    try {
      return Files.readAttributes(lockFile, BasicFileAttributes.class).fileKey();
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  private static String holderOf(Path lockFile) {
    if (OWN.contains(lockFile)) {
      return "another training or thread of this process";
    }
    try {
      return Files.readString(lockFile).strip();
    } catch (IOException e) {
      return "another process";
    }
  }

  /** {@return what is claimed} */
  Path file() {
    return file;
  }

  @Override
  public void close() throws IOException {
    try {
      Files.deleteIfExists(lockFile);
    } finally {
      try {
        open.close();
      } finally {
        OWN.remove(lockFile);
      }
    }
  }
}
