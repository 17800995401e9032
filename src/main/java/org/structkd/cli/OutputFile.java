package org.structkd.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.structkd.run.RunException;

/** Files that a command writes at its end. */
final class OutputFile {
  private OutputFile() {}

  /**
   * Refuses a file that cannot be written before a command begins: at its end it would be too late
   * to say so.
   *
   * @param option that names the file
   */
  static void requireWritable(String option, Path file) {
    Path folder = file.toAbsolutePath().getParent();
    String why =
        Files.isDirectory(file)
            ? "it is a folder"
            : folder == null || !Files.isDirectory(folder)
                ? "its folder is not there"
                : Files.isWritable(folder) ? "" : "its folder is not writable";
    if (!why.isEmpty()) {
      throw RunException.refused("%s: %s cannot be written: %s".formatted(option, file, why));
    }
  }
}
