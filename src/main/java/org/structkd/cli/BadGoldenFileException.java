package org.structkd.cli;

/** A golden file that cannot be read; the message is one sentence with file, case and key. */
final class BadGoldenFileException extends RuntimeException {
  private static final long serialVersionUID = 1;

  BadGoldenFileException(String sentence) {
    super(sentence);
  }
}
