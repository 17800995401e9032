package org.structkd.recipe;

import org.jspecify.annotations.Nullable;

/**
 * A recipe cannot be used as it is. The message is one sentence that begins with where: {@code
 * FILE:LINE}, {@code recipe NAME:LINE} or the option that gave the value. Then follow the path of
 * the value, what was given and what would do.
 */
public final class RecipeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1;

  /** Where the value was written. */
  private final String place;

  /**
   * Creates the exception.
   *
   * @param place where the value was written
   * @param sentence which value it is, what was given, what was expected
   * @param cause the error underneath, or null
   */
  RecipeException(String place, String sentence, @Nullable Throwable cause) {
    super(place + ": " + sentence, cause);
    this.place = place;
  }

  /** {@return where the value was written: file and line, or the option that gave it} */
  public String place() {
    return place;
  }
}
