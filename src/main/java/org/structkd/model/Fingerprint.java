package org.structkd.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.structkd.internal.TensorDigest;

/** Tells networks apart by their weights. */
final class Fingerprint {
  private Fingerprint() {}

  /** {@return a digest of all parameters and buffers, with their names, types and shapes} */
  static String of(Module module) {
    TensorDigest digest = new TensorDigest();
    try (PointerScope temporaries = new PointerScope()) {
      StateDict.tensorsOf(module).forEach(digest::add);
    }
    return digest.text();
  }

  /** {@return the digest of a file} */
  static String of(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      return new TensorDigest().add(in).text();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
