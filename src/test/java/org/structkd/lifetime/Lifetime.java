package org.structkd.lifetime;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.bytedeco.javacpp.PointerScope;

/**
 * How an object of one public type is made and used.
 *
 * @param result whether it only carries tensors out of a call: those belong to the caller's scope
 */
record Lifetime<T>(Class<?> type, boolean result, Making<T> making, Use<T> use) {
  /** Makes an object. */
  interface Making<T> {
    T make() throws IOException;
  }

  /** Uses an object; the numbers are the same each time. */
  interface Use<T> {
    double[] of(T object) throws IOException;
  }

  static <T> Lifetime<T> owner(Class<?> type, Making<T> making, Use<T> use) {
    return new Lifetime<>(type, false, making, use);
  }

  static <T> Lifetime<T> result(Class<?> type, Making<T> making, Use<T> use) {
    return new Lifetime<>(type, true, making, use);
  }

  T make() {
    try {
      return making.make();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  double[] use(Object object) {
    try (PointerScope temporaries = new PointerScope()) {
      @SuppressWarnings("unchecked") // what make() gave
      T own = (T) object;
      return use.of(own);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String toString() {
    return type.getSimpleName();
  }
}
