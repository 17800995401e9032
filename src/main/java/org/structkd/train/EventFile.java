package org.structkd.train;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/**
 * Events as TensorBoard reads them: messages of protocol buffers in records of TensorFlow.
 *
 * <pre>{@code
 * record   u64 length, u32 masked CRC of the length, message, u32 masked CRC of the message
 * Event    1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary
 * Summary  1: repeated Value        Value  1: string tag, 2: float simple_value
 * }</pre>
 *
 * <p>All is little-endian. The messages are written by hand, as six fields need no library for
 * protocol buffers. Source: tensorflow/core/lib/io/record_writer.h,
 * tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
 */
final class EventFile {
  /** What the first event of a file says. */
  private static final String VERSION = "brain.Event:2";

  /** Bytes of a record before its message, and behind it. */
  private static final int BEFORE = Long.BYTES + Integer.BYTES;

  private static final int BEHIND = Integer.BYTES;

  /** A CRC of data that hold CRCs is masked by this, after a rotation. */
  private static final int MASK = 0xa282ead8;

  // Types of fields on the wire.
  private static final int VARINT = 0;
  private static final int EIGHT_BYTES = 1;
  private static final int LENGTH = 2;
  private static final int FOUR_BYTES = 5;

  private EventFile() {}

  /**
   * {@return the record that a file begins with}
   *
   * @param seconds since 1970
   */
  static byte[] first(double seconds) {
    Message event = new Message();
    event.tag(1, EIGHT_BYTES).bytes(Long.BYTES, to -> to.putDouble(seconds));
    event.text(3, VERSION);
    return record(event.toByteArray());
  }

  /**
   * {@return a record of numbers}
   *
   * @param seconds since 1970
   * @param step steps done
   * @param values by tag
   */
  static byte[] scalars(double seconds, long step, Map<String, Float> values) {
    Message summary = new Message();
    values.forEach(
        (tag, number) -> {
          Message value = new Message();
          value.text(1, tag);
          value.tag(2, FOUR_BYTES).bytes(Float.BYTES, to -> to.putFloat(number));
          summary.message(1, value.toByteArray());
        });
    Message event = new Message();
    event.tag(1, EIGHT_BYTES).bytes(Long.BYTES, to -> to.putDouble(seconds));
    event.tag(2, VARINT).varint(step);
    event.message(5, summary.toByteArray());
    return record(event.toByteArray());
  }

  /**
   * {@return what is whole of a file, without the records of later steps}
   *
   * @param file what this class wrote, perhaps torn at its end
   * @param lastStep whose records stay
   */
  static byte[] until(byte[] file, long lastStep) {
    ByteArrayOutputStream kept = new ByteArrayOutputStream(file.length);
    ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    while (in.remaining() >= BEFORE + BEHIND) {
      int start = in.position();
      long length = in.getLong();
      boolean whole =
          in.getInt() == crc(file, start, Long.BYTES)
              && length >= 0
              && length <= in.remaining() - BEHIND;
      int message = in.position();
      if (!whole || in.getInt(message + (int) length) != crc(file, message, (int) length)) {
        break;
      }
      in.position(message + (int) length + BEHIND);
      if (step(ByteBuffer.wrap(file, message, (int) length)) <= lastStep) {
        kept.write(file, start, in.position() - start);
      }
    }
    return kept.toByteArray();
  }

  /** The step of an event that this class wrote, behind its time; 0 where it has none. */
  private static long step(ByteBuffer event) {
    int at = event.position() + 1 + Long.BYTES;
    if (at >= event.limit() || event.get(at) != (2 << 3 | VARINT)) {
      return 0;
    }
    event.position(at + 1);
    long step = 0;
    byte next = -1;
    for (int shift = 0; next < 0 && event.hasRemaining(); shift += 7) {
      next = event.get();
      step |= (long) (next & 0x7f) << shift;
    }
    return step;
  }

  /** {@return a message with its length and CRCs around it} */
  static byte[] record(byte[] message) {
    byte[] record = new byte[BEFORE + message.length + BEHIND];
    ByteBuffer out = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(message.length).putInt(crc(record, 0, Long.BYTES)).put(message);
    out.putInt(crc(record, BEFORE, message.length));
    return record;
  }

  private static int crc(byte[] bytes, int from, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, length);
    return Integer.rotateRight((int) crc.getValue(), 15) + MASK;
  }

  /** A message as it grows. */
  private static final class Message extends ByteArrayOutputStream {
    Message tag(int field, int type) {
      write(field << 3 | type);
      return this;
    }

    void varint(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        write((int) (rest & 0x7f | 0x80));
        rest >>>= 7;
      }
      write((int) rest);
    }

    /** A number of a fixed size. */
    void bytes(int count, Consumer<ByteBuffer> number) {
      ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
      number.accept(bytes);
      writeBytes(bytes.array());
    }

    void message(int field, byte[] bytes) {
      tag(field, LENGTH).varint(bytes.length);
      writeBytes(bytes);
    }

    void text(int field, String text) {
      message(field, text.getBytes(StandardCharsets.UTF_8));
    }
  }
}
