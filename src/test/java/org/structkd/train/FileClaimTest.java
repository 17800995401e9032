package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileClaimTest {
  @TempDir private Path folder;
  private Path file;
  private Path lockFile;

  @BeforeEach
  void name() {
    file = folder.resolve("a");
    lockFile = folder.resolve(".a.lock");
  }

  private FileClaim claim() throws IOException {
    return FileClaim.of(file, Duration.ZERO);
  }

  private String refusal() {
    return assertThrows(IOException.class, this::claim).getMessage();
  }

  @Test
  void aFileHasOneHolderUntilItCloses() throws IOException {
    try (FileClaim first = claim()) {
      assertEquals(file, first.file());
      assertEquals(
          file
              + " is being written by another training or thread of this process: end that first,"
              + " or name another file",
          refusal());
      FileClaim.of(folder.resolve("b"), Duration.ZERO).close();
    }
    assertFalse(Files.exists(lockFile));
    claim().close();
  }

  @Test
  void anotherNameOfTheSameFolderIsTheSameFile() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder);
    try (FileClaim first = claim()) {
      assertThrows(IOException.class, () -> FileClaim.of(link.resolve("a"), Duration.ZERO));
    }
  }

  /** Holds the file that it is given until it is killed. */
  static final class Holder {
    private Holder() {}

    public static void main(String[] args) throws Exception {
      try (FileClaim claim = FileClaim.of(Path.of(args[0]), Duration.ZERO)) {
        System.out.println("holds " + claim.file());
        Thread.sleep(60_000);
      }
    }
  }

  @Test
  void anotherProcessIsNamedAndBindsNobodyOnceItIsKilled() throws Exception {
    Process holder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty(
                    "surefire.test.class.path", System.getProperty("java.class.path")),
                Holder.class.getName(),
                file.toString())
            .redirectErrorStream(true)
            .start();
    try {
      assertEquals("holds " + file, holder.inputReader().readLine());
      assertTrue(
          refusal().contains("is being written by process " + holder.pid() + ": "), refusal());
    } finally {
      holder.destroyForcibly().waitFor();
    }
    assertTrue(Files.exists(lockFile), "a killed process leaves its lock file");
    claim().close();
    assertFalse(Files.exists(lockFile));
  }

  @Test
  void aFolderThatIsMissingIsSaid() {
    file = folder.resolve("none/a");
    assertEquals(file + " cannot be written: its folder does not exist", refusal());
  }

  @Test
  void aPathWithoutANameIsRefused() {
    for (String path : new String[] {"/", ""}) {
      IOException refused =
          assertThrows(IOException.class, () -> AtomicFile.write(Path.of(path), out -> {}));
      assertEquals("\"" + path + "\" cannot be written: it names no file", refused.getMessage());
    }
  }

  @Test
  void writersOfOneFileTakeTurns() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> writes = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        byte[] content = Integer.toString(i).repeat(20_000).getBytes();
        writes.add(
            threads.submit(
                () -> {
                  AtomicFile.write(file, out -> out.write(content));
                  return null;
                }));
      }
      for (Future<?> write : writes) {
        write.get();
      }
    } finally {
      threads.shutdownNow();
    }
    String content = Files.readString(file);
    String one = content.substring(0, content.length() / 20_000);
    assertEquals(one.repeat(20_000), content);
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(file), files.toList());
    }
  }
}
