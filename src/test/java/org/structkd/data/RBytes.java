package org.structkd.data;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;

/** Writes values as R's serialisation has them, and data bases of one object. */
final class RBytes {
  private static final int WITH_ATTRIBUTES = 0x200;
  private static final int TAGGED_PAIR = 0x402;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  RBytes() {
    raw("X\n".getBytes(StandardCharsets.US_ASCII)).ints(3, 0x040102, 0x030500, 5);
    raw("UTF-8".getBytes(StandardCharsets.US_ASCII));
  }

  byte[] toBytes() {
    return bytes.toByteArray();
  }

  RBytes raw(byte[] some) {
    bytes.writeBytes(some);
    return this;
  }

  RBytes ints(int... values) {
    for (int value : values) {
      raw(ByteBuffer.allocate(Integer.BYTES).putInt(value).array());
    }
    return this;
  }

  RBytes integers(boolean attributes, int... values) {
    return ints(13 | (attributes ? WITH_ATTRIBUTES : 0), values.length).ints(values);
  }

  RBytes reals(double... values) {
    ints(14, values.length);
    for (double value : values) {
      raw(ByteBuffer.allocate(Double.BYTES).putDouble(value).array());
    }
    return this;
  }

  RBytes strings(String... values) {
    ints(16, values.length);
    for (String value : values) {
      text(value);
    }
    return this;
  }

  private RBytes text(String value) {
    byte[] text = value.getBytes(StandardCharsets.UTF_8);
    return ints(9, text.length).raw(text);
  }

  /** A list whose elements and attributes follow. */
  RBytes list(int length) {
    return ints(19 | WITH_ATTRIBUTES, length);
  }

  /** The tag of an attribute, whose value follows. */
  RBytes attribute(String name) {
    return ints(TAGGED_PAIR, 1).text(name);
  }

  /** The tag of an attribute whose name came before. */
  RBytes again(int index) {
    return ints(TAGGED_PAIR, index << 8 | 0xff);
  }

  RBytes end() {
    return ints(254);
  }

  /** A frame of two users' ratings: a factor, whole numbers, numbers. */
  static byte[] frame() {
    return new RBytes()
        .list(3)
        .integers(true, 2, 1, 2)
        .attribute("levels")
        .strings("ann", "bob")
        .end()
        .integers(false, 7, 7, 9)
        .reals(4.5, 1, 3)
        .attribute("names")
        .strings("who", "what", "stars")
        .attribute("row.names")
        .ints(238) // R keeps names that count as a formula
        .ints(2, 1)
        .text("compact_intseq")
        .ints(254)
        .reals(3, 1, 1)
        .end()
        .end()
        .toBytes();
  }

  /** Writes a data base with one object. */
  static Path database(Path folder, String object, byte[] value) throws IOException {
    byte[] packed = packed(value);
    byte[] chunk =
        ByteBuffer.allocate(Integer.BYTES + packed.length).putInt(value.length).put(packed).array();
    return database(folder, object, chunk, 3, chunk.length);
  }

  /** Writes a data base whose index tells a place, with as many other bytes before the object. */
  static Path database(Path folder, String object, byte[] chunk, int offset, int length)
      throws IOException {
    Path base = folder.resolve("Rdata");
    try (DataOutputStream data =
        new DataOutputStream(Files.newOutputStream(Path.of(base + ".rdb")))) {
      data.write(new byte[3]);
      data.write(chunk);
    }
    byte[] index =
        new RBytes()
            .list(1)
            .list(1)
            .integers(false, offset, length)
            .attribute("names")
            .strings(object)
            .end()
            .again(1)
            .strings("variables")
            .end()
            .toBytes();
    try (GZIPOutputStream out =
        new GZIPOutputStream(Files.newOutputStream(Path.of(base + ".rdx")))) {
      out.write(index);
    }
    return base;
  }

  static byte[] packed(byte[] value) {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (DeflaterOutputStream out = new DeflaterOutputStream(packed)) {
      out.write(value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return packed.toByteArray();
  }
}
