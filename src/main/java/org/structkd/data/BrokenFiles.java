package org.structkd.data;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Files that a training left out, each once. For any threads. */
final class BrokenFiles {
  private final Set<String> files = ConcurrentHashMap.newKeySet();

  /** {@return whether the file is new here} */
  boolean add(String file) {
    return files.add(file);
  }

  int count() {
    return files.size();
  }
}
