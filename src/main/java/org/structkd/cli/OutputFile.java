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
    if (folder == null || !Files.isWritable(folder) || Files.isDirectory(file)) {
      throw RunException.refused(
          option
              + ": "
              + file
              + " cannot be written: "
              + (Files.isDirectory(file) ? "it is a folder" : "its folder is not writable"));
    }
  }
}
