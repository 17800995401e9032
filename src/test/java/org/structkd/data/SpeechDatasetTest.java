package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.structkd.testing.InScope;
import org.structkd.testing.MadeSpeech;
import org.structkd.testing.Tensors;

/** Recordings of tones as images, their splits, and files that are none. */
@InScope
class SpeechDatasetTest {
  private static final SpeechDataset.Config LANGUAGES =
      new SpeechDataset.Config(SpeechTask.LANGUAGE, 16, 20);
  private static final SpeechDataset.Config DIGITS =
      new SpeechDataset.Config(SpeechTask.DIGIT, 16, 20);

  @TempDir private Path folder;

  @Test
  void samplesAreWrittenAndReadAsTheyAre() throws IOException {
    Path file = folder.resolve("a.wav");
    float[] samples = {0, 0.5f, -1, 1 / 32768f, 32767 / 32768f};
    WavFile.write(file, samples);
    assertArrayEquals(samples, WavFile.read(file));
  }

  /** 30 names of two languages; no name is in two splits, and each split has both classes. */
  @Test
  void languagesAreSplitByName() throws IOException {
    MadeSpeech.write(folder, List.of("low", "high"), 30);
    SpeechDataset data = SpeechDataset.fromDirectory(folder, LANGUAGES);
    assertEquals(List.of("high", "low"), data.classNames());
    int test = data.size(Split.TEST);
    int validation = data.size(Split.VALIDATION);
    assertTrue(test % 2 == 0 && validation % 2 == 0 && test > validation);
    Batch examples = data.examples(Split.TEST, 0, test);
    assertArrayEquals(new long[] {test, 1, 16, 20}, examples.input("images").shape());
    assertEquals(test / 2.0, Arrays.stream(Tensors.values(examples.target("labels"))).sum());
    // Of long recordings, as those of tests are here, all is seen: mean 0, deviation 1.
    double[] pixels = Tensors.values(examples.input("images").narrow(0, 0, 1));
    assertEquals(0, Arrays.stream(pixels).average().orElseThrow(), 0.2);
    assertTrue(Arrays.stream(pixels).max().orElseThrow() < 10);
  }

  @Test
  void trainingIsAFunctionOfSeedAndStep() throws Exception {
    MadeSpeech.write(folder, List.of("low", "high"), 30);
    SpeechDataset data = SpeechDataset.fromDirectory(folder, LANGUAGES);
    Tensor one = data.withSeed(1).training(8).prepare(3).tensors().input("images");
    assertTrue(one.equal(data.withSeed(1).training(8).prepare(3).tensors().input("images")));
    assertFalse(one.equal(data.withSeed(2).training(8).prepare(3).tensors().input("images")));
    assertArrayEquals(new long[] {8, 1, 16, 20}, one.shape());
  }

  @Test
  void digitsAreSplitByLanguage() throws IOException {
    MadeSpeech.write(folder, List.of("a", "b", "c", "d"), 0);
    SpeechDataset data = SpeechDataset.fromDirectory(folder, DIGITS);
    assertEquals(10, data.classes().orElseThrow());
    assertEquals(10, data.size(Split.TEST));
    assertEquals(10, data.size(Split.VALIDATION));
    assertArrayEquals(
        new double[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
        Tensors.values(data.examples(Split.TEST, 0, 10).target("labels")));
  }

  private DataFileException broken(SpeechDataset.Config config) {
    return assertThrows(DataFileException.class, () -> SpeechDataset.fromDirectory(folder, config));
  }

  private void says(String part, SpeechDataset.Config config) {
    String message = broken(config).getMessage();
    assertTrue(message.contains(part), message);
  }

  @Test
  void foldersThatHoldTooLittleAreASentence() throws IOException {
    says("expected two or more folders of WAV files, one for each language, found 0", LANGUAGES);
    Files.createDirectories(folder.resolve("b"));
    MadeSpeech.write(folder, List.of("a"), 3);
    says("expected WAV files of the same names in a, b, found no name that all have", LANGUAGES);
    MadeSpeech.write(folder, List.of("b"), 3);
    says("found 2 folders with 10 names in common, of which none is for test", DIGITS);
    Files.delete(folder.resolve("b/digits/7.wav"));
    says("expected a file for each of the 10 digits in every folder", DIGITS);
    says("found no digits/7.wav", DIGITS);
    for (int digit = 0; digit < 10; digit++) {
      Files.deleteIfExists(folder.resolve("b/digits/" + digit + ".wav"));
    }
    says("expected names for all splits, such as 20 or more in every folder", LANGUAGES);
  }

  @Test
  void filesOfAnotherFormAreASentence() throws IOException {
    MadeSpeech.write(folder, List.of("a", "b"), 20);
    Path file = folder.resolve("b/word3.wav");
    written(file, new AudioFormat(8000, 16, 2, true, false));
    says(
        "word3.wav: expected WAV, 1 channel, 8000 Hz, PCM of 16 bits, found 2 channel(s)",
        LANGUAGES);
    written(file, new AudioFormat(16000, 16, 1, true, false));
    says("found 1 channel(s), 16000 Hz, PCM_SIGNED of 16 bits", LANGUAGES);
    written(file, new AudioFormat(8000, 8, 1, false, false));
    says("found 1 channel(s), 8000 Hz, PCM_UNSIGNED of 8 bits", LANGUAGES);
    Files.write(file, new byte[0]);
    says("found 0 bytes", LANGUAGES);
    Files.writeString(file, "no recording at all, and longer than a header of a file is");
    says("found no audio file that Java reads", LANGUAGES);
    WavFile.write(file, new float[0]);
    says("expected 1 samples, as its header says, found 0", LANGUAGES);
    WavFile.write(file, new float[1000]);
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, 501));
    says("expected 1000 samples, as its header says, found", LANGUAGES);
    Files.write(file, Arrays.copyOf(whole, 10));
    broken(LANGUAGES);
  }

  private static void written(Path file, AudioFormat format) throws IOException {
    byte[] bytes = new byte[1600];
    try (AudioInputStream in =
        new AudioInputStream(
            new ByteArrayInputStream(bytes), format, bytes.length / format.getFrameSize())) {
      AudioSystem.write(in, AudioFileFormat.Type.WAVE, file.toFile());
    }
  }

  @Test
  void settingsThatMakeNoImageAreRefused() {
    refused(
        "speech: mels is 7, expected 8 to 128",
        () -> new SpeechDataset.Config(SpeechTask.DIGIT, 7, 20));
    refused(
        "speech: frames is 2000, expected 8 to 1024",
        () -> new SpeechDataset.Config(SpeechTask.DIGIT, 8, 2000));
  }

  /** Runs where {@code ./structkd data speech} has run. */
  @Test
  void announcementsOfFiveLanguagesAreRead() throws IOException {
    assumeTrue(DataCache.ofUser().has(SpeechPrompts.DATA), "the data set speech is not here");
    SpeechDataset data = SpeechDataset.fetched(LANGUAGES);
    assertEquals(List.of("en", "es", "fr", "it", "ru"), data.classNames());
    assertTrue(data.size(Split.TEST) > 400);
    assertEquals(10, SpeechDataset.fetched(DIGITS).size(Split.TEST));
  }
}
