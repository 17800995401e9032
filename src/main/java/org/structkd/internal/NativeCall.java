package org.structkd.internal;

import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.structkd.Status;
import org.structkd.StructkdException;

/** The only way to call {@link NativeOps}: loads what is needed, translates what goes wrong. */
public final class NativeCall {
  /** What torch/errors.cpp throws. */
  private static final Pattern RAISED =
      Pattern.compile("structkd\\[STRUCTKD_ERR_([A-Z]+)]: (.*)", Pattern.DOTALL);

  /** LibTorch appends its C++ stack to a message; this is where it begins. */
  private static final String STACK = "\nException raised from ";

  private NativeCall() {}

  /**
   * Runs a native function.
   *
   * @throws StructkdException if native code is missing, refuses the call or fails
   */
  public static <T> T of(Supplier<T> function) {
    NativeLoader.require();
    try {
      return function.get();
    } catch (RuntimeException e) {
      throw translate(e);
    }
  }

  /**
   * JavaCPP turns a C++ exception into a plain RuntimeException; anything else is Java's own error
   * and passes unchanged.
   */
  static RuntimeException translate(RuntimeException error) {
    if (error.getClass() != RuntimeException.class || error.getMessage() == null) {
      return error;
    }
    String message = error.getMessage();
    int stack = message.indexOf(STACK);
    String sentence = (stack < 0 ? message : message.substring(0, stack)).strip();
    Matcher raised = RAISED.matcher(sentence);
    if (!raised.matches()) {
      return new StructkdException(Status.INTERNAL, sentence, error);
    }
    return new StructkdException(statusOf(raised.group(1)), raised.group(2), error);
  }

  private static Status statusOf(String name) {
    for (Status status : Status.values()) {
      if (status.name().equals(name)) {
        return status;
      }
    }
    return Status.INTERNAL;
  }
}
