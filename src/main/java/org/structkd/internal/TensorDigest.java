package org.structkd.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/** Tells tensors and files apart by their content: the first half of a SHA-256. */
public final class TensorDigest {
  /** Characters of {@link #text}. */
  public static final int LENGTH = 32;

  private static final int PIECE = 1 << 20;

  private final MessageDigest digest;

  /** A digest of nothing. */
  public TensorDigest() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JVM has SHA-256", e);
    }
  }

  /** Adds name, type, shape and elements of a tensor, on any device. */
  public TensorDigest add(String name, Tensor tensor) {
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
    return this;
  }

  /** Adds a text. */
  public TensorDigest add(String text) {
    digest.update(text.getBytes(StandardCharsets.UTF_8));
    return this;
  }

  /** Adds all that is left of a stream. */
  public TensorDigest add(InputStream in) throws IOException {
    in.transferTo(new DigestOutputStream(OutputStream.nullOutputStream(), digest));
    return this;
  }

  /** {@return what was added, in {@value #LENGTH} hexadecimal digits} It begins anew afterwards. */
  public String text() {
    return HexFormat.of().formatHex(digest.digest(), 0, LENGTH / 2);
  }
}
