package org.structkd.verify;

/** A golden file that cannot be read; the message is one sentence with file, case and key. */
public final class BadGoldenFileException extends RuntimeException {
  private static final long serialVersionUID = 1;

  BadGoldenFileException(String sentence) {
    super(sentence);
  }
}
