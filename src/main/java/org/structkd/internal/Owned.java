package org.structkd.internal;

import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.jspecify.annotations.Nullable;

/**
 * Native objects that one of our objects owns: they live until it is closed or collected, whatever
 * PointerScope is open where they are made.
 *
 * @param <T> what is made: a pointer, or an object that has several
 */
public final class Owned<T> implements AutoCloseable {
  private final String name;
  private final PointerScope pointers;
  private @Nullable T object;

  private Owned(String name, PointerScope pointers, T object) {
    this.name = name;
    this.pointers = pointers;
    this.object = object;
  }

  /**
   * Makes an object and keeps all pointers that come into being on the way.
   *
   * @param name of the owner, as sentences about it begin
   * @param making makes the object; if it fails, nothing is kept
   */
  public static <T> Owned<T> make(String name, Supplier<T> making) {
    NativeLoader.require(); // says what is missing, also where not even PointerScope is found
    try (PointerScope pointers = new PointerScope()) {
      T object = NativeCall.of(making);
      pointers.extend(); // leaving the block takes the scope off the thread and releases nothing
      return new Owned<>(name, pointers, object);
    }
  }

  /**
   * The object.
   *
   * @throws IllegalStateException if its owner has been closed
   */
  public T get() {
    T open = object;
    if (open == null) {
      throw new IllegalStateException(name + ": it has been closed, make a new one");
    }
    return open;
  }

  /** Releases the native objects. May be called twice. */
  @Override
  public void close() {
    object = null;
    pointers.close();
  }
}
