package org.structkd.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether standard output is a terminal. */
final class Terminal {
  /** Asked of the system: what Java's Console says differs between its versions. */
  static final boolean IS_ONE = isTerminal();

  private Terminal() {}

  private static boolean isTerminal() {
    try {
      Path out = Files.readSymbolicLink(Path.of("/proc/self/fd/1"));
      return out.startsWith("/dev/pts") || out.toString().startsWith("/dev/tty");
    } catch (IOException e) {
      return false;
    }
  }
}
