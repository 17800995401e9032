package org.structkd.bench;

import java.nio.file.Path;

/** Files of the checkout that the launcher was started from, wherever the user stands. */
public final class Checkout {
  /** Set by the launcher; without it the bench is started in the checkout. */
  private static final String ROOT = "structkd.root";

  private Checkout() {}

  /**
   * {@return the place of a file}
   *
   * @param name relative to the checkout
   */
  public static Path file(String name) {
    return Path.of(System.getProperty(ROOT, "")).resolve(name);
  }
}
