package org.structkd.testing;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;

/** Folders of tones instead of recordings: every voice has its pitch, every name its length. */
public final class MadeSpeech {
  private static final int RATE = 8000;

  private MadeSpeech() {}

  /**
   * Writes digits/0.wav to digits/9.wav and word0.wav and on for each voice.
   *
   * @param words beside the digits
   */
  public static void write(Path folder, List<String> voices, int words) throws IOException {
    for (String voice : voices) {
      Path own = Files.createDirectories(folder.resolve(voice).resolve("digits")).getParent();
      double pitch = 200 + 100 * (voice.hashCode() & 7);
      for (int digit = 0; digit < 10; digit++) {
        write(own.resolve("digits/" + digit + ".wav"), pitch + 150 * digit, 1500 + 200 * digit);
      }
      for (int word = 0; word < words; word++) {
        write(own.resolve("word" + word + ".wav"), pitch + 40 * word, 1000 + 130 * word);
      }
    }
  }

  private static void write(Path file, double pitch, int samples) throws IOException {
    byte[] bytes = new byte[2 * samples];
    for (int n = 0; n < samples; n++) {
      int level = (int) (10_000 * Math.sin(2 * Math.PI * pitch * n / RATE));
      bytes[2 * n] = (byte) level;
      bytes[2 * n + 1] = (byte) (level >> 8);
    }
    try (AudioInputStream in =
        new AudioInputStream(
            new ByteArrayInputStream(bytes), new AudioFormat(RATE, 16, 1, true, false), samples)) {
      AudioSystem.write(in, AudioFileFormat.Type.WAVE, file.toFile());
    }
  }
}
