package org.structkd.data;

/**
 * What some editors and spreadsheets write in front of a text in UTF-8 (The Unicode Standard,
 * 23.8). Nobody sees it, and it means nothing.
 */
final class ByteOrderMark {
  private static final String MARK = "\uFEFF";

  private ByteOrderMark() {}

  /** {@return the first line of a text without it} */
  static String removed(String firstLine) {
    return firstLine.startsWith(MARK) ? firstLine.substring(MARK.length()) : firstLine;
  }
}
