package org.structkd.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.structkd.run.Comparison;
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

  /**
   * Refuses a file that cannot be written, or not with a picture beside it.
   *
   * @param option that names the file
   * @param ending that such a file usually has
   */
  static void requireWritableWithPicture(String option, Path file, String ending) {
    requireWritable(option, file);
    Path picture = Comparison.pictureOf(file);
    if (picture.equals(file)) {
      throw RunException.refused(
          "%s: %s is where its picture goes, expected another ending, such as %s"
              .formatted(option, file, ending));
    }
    requireWritable(option, picture);
  }
}
