package org.structkd.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** Tells networks apart by their weights: the first half of a SHA-256. */
final class Fingerprint {
  private static final int BYTES = 16;
  private static final int PIECE = 1 << 20;

  private Fingerprint() {}

  /** {@return a digest of all parameters and buffers, with their names, types and shapes} */
  static String of(Module module) {
    MessageDigest digest = sha256();
    try (PointerScope temporaries = new PointerScope()) {
      StateDict.tensorsOf(module).forEach((name, tensor) -> add(digest, name, tensor));
    }
    return text(digest);
  }

  /** {@return the digest of a file} */
  static String of(Path file) {
    MessageDigest digest = sha256();
    try (InputStream in = Files.newInputStream(file)) {
      in.transferTo(new DigestOutputStream(OutputStream.nullOutputStream(), digest));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text(digest);
  }

  private static void add(MessageDigest digest, String name, Tensor tensor) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor dense = tensor.detach().cpu().contiguous();
      String head =
          name + " " + dense.scalar_type().intern() + " " + Arrays.toString(dense.shape());
      digest.update(head.getBytes(StandardCharsets.UTF_8));
      long size = dense.numel() * dense.element_size();
      BytePointer bytes = new BytePointer(dense.data_ptr()).capacity(size);
      byte[] piece = new byte[(int) Math.min(PIECE, size)];
      for (long from = 0; from < size; from += piece.length) {
        int length = (int) Math.min(piece.length, size - from);
        bytes.position(from).get(piece, 0, length);
        digest.update(piece, 0, length);
      }
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JVM has SHA-256", e);
    }
  }

  private static String text(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest(), 0, BYTES);
  }
}
