package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class NativeLoaderTest {
  @Test
  void loadsLibTorchAndOurLibraries() {
    assertDoesNotThrow(NativeLoader::require);
    assertEquals("0.1.0", NativeCall.of(NativeOps::version));
  }
}
