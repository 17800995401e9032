package org.structkd.data;

import java.io.IOException;
import java.util.Objects;

/**
 * A data file is missing, truncated or holds something else than it should.
 *
 * <p>The message reads {@code FILE: expected ..., found ...}; the three parts are also at hand one
 * by one. Failures of the disk itself stay plain {@link IOException}s.
 */
public final class DataFileException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Path or name of the file. */
  private final String file;

  /** What the file should hold. */
  private final String expected;

  /** What is there instead. */
  private final String found;

  /**
   * Creates the exception for one file.
   *
   * @param file path or name of the file, as the user knows it
   * @param expected what the file should hold
   * @param found what is there instead
   */
  public DataFileException(String file, String expected, String found) {
    super(file + ": expected " + expected + ", found " + found);
    this.file = Objects.requireNonNull(file, "file");
    this.expected = Objects.requireNonNull(expected, "expected");
    this.found = Objects.requireNonNull(found, "found");
  }

  /** {@return the path or name of the file} */
  public String file() {
    return file;
  }

  /** {@return what the file should hold} */
  public String expected() {
    return expected;
  }

  /** {@return what is there instead} */
  public String found() {
    return found;
  }
}
