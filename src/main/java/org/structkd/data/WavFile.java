package org.structkd.data;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;

/** Speech as telephones have it: WAV files of one channel, 8,000 samples a second of 16 bits. */
final class WavFile {
  /** Samples per second. */
  static final int RATE = 8000;

  /** Values that a sample of 16 bits has on each side of 0. */
  private static final float SCALE = 1 << 15;

  private static final int BYTES = 2;
  private static final String EXPECTED = "WAV, 1 channel, 8000 Hz, PCM of 16 bits";

  private WavFile() {}

  /**
   * {@return the samples, -1 to 1, one or more}
   *
   * @param file to read
   * @throws DataFileException if it is missing, broken, empty or of another form; says which form
   * @throws IOException if it cannot be read
   */
  static float[] read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(file.toString(), EXPECTED, "nothing");
    }
    byte[] all = Files.readAllBytes(file);
    if (all.length == 0) {
      throw new DataFileException(file.toString(), EXPECTED, "0 bytes");
    }
    try (AudioInputStream in = AudioSystem.getAudioInputStream(new ByteArrayInputStream(all))) {
      AudioFormat format = in.getFormat();
      boolean fits =
          format.getEncoding().equals(AudioFormat.Encoding.PCM_SIGNED)
              && format.getChannels() == 1
              && format.getSampleRate() == RATE
              && format.getSampleSizeInBits() == BYTES * Byte.SIZE;
      if (!fits) {
        throw new DataFileException(
            file.toString(),
            EXPECTED,
            "%d channel(s), %.0f Hz, %s of %d bits"
                .formatted(
                    format.getChannels(),
                    format.getSampleRate(),
                    format.getEncoding(),
                    format.getSampleSizeInBits()));
      }
      byte[] bytes = in.readAllBytes();
      if (bytes.length == 0 || bytes.length != in.getFrameLength() * BYTES) {
        throw new DataFileException(
            file.toString(),
            Math.max(1, in.getFrameLength()) + " samples, as its header says",
            bytes.length / BYTES + "");
      }
      ByteBuffer samples = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      float[] values = new float[bytes.length / BYTES];
      for (int i = 0; i < values.length; i++) {
        values[i] = samples.getShort(BYTES * i) / SCALE;
      }
      return values;
    } catch (UnsupportedAudioFileException e) {
      DataFileException broken =
          new DataFileException(file.toString(), EXPECTED, "no audio file that Java reads");
      broken.initCause(e);
      throw broken;
    }
  }

  /**
   * Writes a file that {@link #read} reads.
   *
   * @param samples -1 to 1; what is beyond that is cut
   */
  static void write(Path file, float[] samples) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES * samples.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float sample : samples) {
      int level = Math.round(sample * SCALE);
      bytes.putShort((short) Math.max(Short.MIN_VALUE, Math.min(Short.MAX_VALUE, level)));
    }
    AudioFormat format = new AudioFormat(RATE, BYTES * Byte.SIZE, 1, true, false);
    try (AudioInputStream in =
        new AudioInputStream(new ByteArrayInputStream(bytes.array()), format, samples.length)) {
      AudioSystem.write(in, AudioFileFormat.Type.WAVE, file.toFile());
    }
  }
}
