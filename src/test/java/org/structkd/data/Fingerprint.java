package org.structkd.data;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 of numbers, to compare content with a stored value. */
final class Fingerprint {
  private final MessageDigest digest;

  Fingerprint() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  /** Adds the low byte. */
  void add(int value) {
    digest.update((byte) value);
  }

  /** Adds the bits of all intensities, most significant byte first, then all labels. */
  void add(SceneBatch batch) {
    for (float intensity : batch.images()) {
      int bits = Float.floatToRawIntBits(intensity);
      for (int shift = 24; shift >= 0; shift -= 8) {
        add(bits >>> shift);
      }
    }
    digest.update(batch.labels());
  }

  /** Returns the first 16 of 64 hexadecimal digits and starts anew. */
  String text() {
    return HexFormat.of().formatHex(digest.digest(), 0, 8);
  }
}
