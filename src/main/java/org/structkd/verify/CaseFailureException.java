package org.structkd.verify;

/** A well-formed case that this version cannot reproduce; the message is one sentence. */
final class CaseFailureException extends RuntimeException {
  private static final long serialVersionUID = 1;

  CaseFailureException(String sentence) {
    super(sentence);
  }
}
