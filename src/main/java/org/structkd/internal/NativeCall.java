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

  /** Runs what has no result, as {@link #of}. */
  public static void run(Runnable function) {
    of(
        () -> {
          function.run();
          return true;
        });
  }

  /**
   * Says in a sentence what native code threw, wherever it was called from; anything else, such as
   * what a listener throws, passes unchanged. The C++ stack is left out of the cause, too.
   *
   * @param error thrown
   * @return what to throw instead, or the error itself
   */
  public static RuntimeException translate(RuntimeException error) {
    String message = String.valueOf(error.getMessage());
    Matcher raised = RAISED.matcher(LibTorchText.withoutStack(message));
    if (error.getClass() == RuntimeException.class && raised.matches()) {
      return exception(statusOf(raised.group(1)), raised.group(2).strip(), error);
    }
    if (!isOfNativeCode(error)) {
      return error;
    }
    LibTorchText text = LibTorchText.of(message);
    return exception(text.status(), text.sentence(), error);
  }

  /** JavaCPP turns a C++ exception into a plain RuntimeException, and refuses closed pointers. */
  private static boolean isOfNativeCode(RuntimeException error) {
    StackTraceElement[] stack = error.getStackTrace();
    return (error.getClass() == RuntimeException.class
            || error.getClass() == NullPointerException.class)
        && stack.length > 0
        && stack[0].isNativeMethod();
  }

  private static StructkdException exception(
      Status status, String sentence, RuntimeException error) {
    RuntimeException cause = new RuntimeException(LibTorchText.firstLine(error.getMessage()));
    cause.setStackTrace(error.getStackTrace());
    return new StructkdException(status, sentence, cause);
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
