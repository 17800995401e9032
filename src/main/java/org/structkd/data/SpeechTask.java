package org.structkd.data;

/** What is to be told of a recording. */
public enum SpeechTask {
  /** Its language: the folder that it is in. Splits share no name of a file, so no sentence. */
  LANGUAGE,

  /**
   * Which digit it says: files digits/0.wav to digits/9.wav, one of each language. Splits share no
   * language.
   */
  DIGIT
}
