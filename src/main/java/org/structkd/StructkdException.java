package org.structkd;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Native code refused a call, failed, or could not be loaded.
 *
 * <p>What a caller can get wrong is usually found earlier and reported as an {@link
 * IllegalArgumentException}.
 */
public final class StructkdException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** The kind of failure. */
  private final Status status;

  /**
   * Creates an exception.
   *
   * @param status the kind of failure
   * @param sentence what was given, what was expected, what to do
   * @param cause the error underneath, or null
   */
  public StructkdException(Status status, String sentence, @Nullable Throwable cause) {
    super(sentence, cause);
    this.status = Objects.requireNonNull(status, "status");
  }

  /**
   * The kind of failure, for programs; the message is for people.
   *
   * @return never null
   */
  public Status status() {
    return status;
  }
}
