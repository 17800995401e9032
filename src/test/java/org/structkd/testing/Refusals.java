package org.structkd.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.function.Executable;

/** Calls that must fail, and the whole sentence that they fail by. */
public final class Refusals {
  private Refusals() {}

  /** {@return what bad arguments are told} */
  public static String refusal(Executable call) {
    return assertThrows(IllegalArgumentException.class, call).getMessage();
  }

  /** Bad arguments. */
  public static void refused(String sentence, Executable call) {
    refused(IllegalArgumentException.class, sentence, call);
  }

  /** Whatever else. */
  public static void refused(Class<? extends Throwable> kind, String sentence, Executable call) {
    assertEquals(sentence, assertThrows(kind, call).getMessage());
  }
}
