package org.structkd.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir private Path folder;

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void replacesTheWholeContent() throws IOException {
    Path file = folder.resolve("a");
    AtomicFile.write(file, out -> out.write("longer than the next".getBytes()));
    AtomicFile.write(file, out -> out.write("short".getBytes()));
    assertEquals("short", Files.readString(file));
    assertEquals(List.of("a"), files());
  }

  @Test
  void aWriteThatFailsLeavesTheOldContentAlone() throws IOException {
    Path file = folder.resolve("a");
    Files.writeString(file, "old");
    IOException error =
        assertThrows(
            IOException.class,
            () ->
                AtomicFile.write(
                    file,
                    out -> {
                      out.write(new byte[1 << 20]);
                      throw new IOException("No space left on device");
                    }));
    assertEquals(file + " cannot be written: No space left on device", error.getMessage());
    assertEquals("old", Files.readString(file));
    assertEquals(List.of("a"), files());
  }

  @Test
  void anErrorLeavesNothingBehind() throws IOException {
    Path file = folder.resolve("a");
    for (Throwable cause : new Throwable[] {new OutOfMemoryError("heap"), new AssertionError()}) {
      Throwable thrown =
          assertThrows(
              cause.getClass(),
              () ->
                  AtomicFile.write(
                      file,
                      out -> {
                        out.write(1);
                        throw (Error) cause;
                      }));
      assertSame(cause, thrown);
      assertEquals(List.of(), files());
    }
  }

  @Test
  void anInterruptedThreadWritesAndStaysInterrupted() throws IOException {
    Path file = folder.resolve("a");
    Thread.currentThread().interrupt();
    try {
      AtomicFile.write(
          file,
          out -> {
            out.write("whole ".repeat(20_000).getBytes());
            Thread.currentThread().interrupt();
            out.write("content".getBytes());
          });
    } finally {
      assertTrue(Thread.interrupted());
    }
    assertEquals("whole ".repeat(20_000) + "content", Files.readString(file));
    assertEquals(List.of("a"), files());
  }

  @Test
  void aMissingFolderIsSaid() {
    IOException error =
        assertThrows(
            IOException.class,
            () -> AtomicFile.write(folder.resolve("none/a"), out -> out.write(1)));
    assertTrue(error.getMessage().contains("its folder does not exist"), error.getMessage());
  }
}
