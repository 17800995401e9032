package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A user's own four files: 23 images to train and validate, 7 to test. */
class FashionDirectoryTest {
  private static final int TRAIN = 23;
  private static final int TEST = 7;
  private static final int IMAGE = 28 * 28;

  @TempDir Path directory;

  @BeforeEach
  void writeFourFiles() throws IOException {
    write("train-images-idx3-ubyte", IdxBytes.file(images(TRAIN, 100), TRAIN, 28, 28));
    write("train-labels-idx1-ubyte", IdxBytes.file(labels(TRAIN), TRAIN));
    write("t10k-images-idx3-ubyte.gz", gzippedImages(TEST));
    write("t10k-labels-idx1-ubyte", IdxBytes.file(labels(TEST), TEST));
  }

  private static byte[] gzippedImages(int count) {
    return IdxBytes.gzip(IdxBytes.file(images(count, 200), count, 28, 28));
  }

  /** Image i is filled with the grey value {@code first + i}. */
  private static byte[] images(int count, int first) {
    byte[] images = new byte[count * IMAGE];
    for (int i = 0; i < count; i++) {
      Arrays.fill(images, i * IMAGE, (i + 1) * IMAGE, (byte) (first + i));
    }
    return images;
  }

  private static byte[] labels(int count) {
    byte[] labels = new byte[count];
    for (int i = 0; i < count; i++) {
      labels[i] = (byte) (i % 10);
    }
    return labels;
  }

  private void write(String file, byte[] bytes) throws IOException {
    Files.write(directory.resolve(file), bytes);
  }

  @Test
  void readsPlainAndPackedFiles() throws IOException {
    FashionScenes scenes = FashionScenes.fromDirectory(directory);
    assertEquals(SceneConfig.defaults(), scenes.config());
    assertEquals(21, scenes.sourceImages(Split.TRAIN));
    assertEquals(2, scenes.sourceImages(Split.VALIDATION));
    assertEquals(7, scenes.sourceImages(Split.TEST));
  }

  @Test
  void scenesOfASplitShowOnlyItsOwnSourceImages() throws IOException {
    SceneConfig clean = SceneConfig.defaults().withNoise(0);
    FashionScenes scenes = FashionScenes.fromDirectory(directory, clean);
    assertEquals(greys(100, 121), shown(scenes, Split.TRAIN));
    assertEquals(greys(121, 123), shown(scenes, Split.VALIDATION));
    assertEquals(greys(200, 207), shown(scenes, Split.TEST));
  }

  private static Set<Integer> greys(int from, int to) {
    Set<Integer> greys = new HashSet<>(Set.of(0));
    for (int grey = from; grey < to; grey++) {
      greys.add(grey);
    }
    return greys;
  }

  private static Set<Integer> shown(FashionScenes scenes, Split split) {
    Set<Integer> shown = new HashSet<>();
    for (float intensity : scenes.batch(split, 0, 200).images()) {
      shown.add(Math.round(intensity * 255));
    }
    return shown;
  }

  @Test
  void packedFilesGoFirst() throws IOException {
    write("t10k-images-idx3-ubyte", new byte[] {1});
    assertEquals(7, FashionScenes.fromDirectory(directory).sourceImages(Split.TEST));
  }

  @Test
  void theBundledFilesInADirectoryGiveTheBundledScenes(@TempDir Path copy) throws IOException {
    for (String name : new String[] {"train", "t10k"}) {
      for (String kind : new String[] {"-images-idx3-ubyte.gz", "-labels-idx1-ubyte.gz"}) {
        try (var in =
            FashionScenes.class.getResourceAsStream("fashion-mnist-subset/" + name + kind)) {
          Files.copy(in, copy.resolve(name + kind));
        }
      }
    }
    SceneBatch expected = FashionScenes.bundled(SceneConfig.defaults()).batch(Split.TEST, 0, 10);
    SceneBatch actual = FashionScenes.fromDirectory(copy).batch(Split.TEST, 0, 10);
    assertArrayEquals(expected.images(), actual.images());
    assertArrayEquals(expected.labels(), actual.labels());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte"
      })
  void namesTheMissingFile(String file) throws IOException {
    Files.deleteIfExists(directory.resolve(file));
    Files.deleteIfExists(directory.resolve(file + ".gz"));
    assertRefused(directory.resolve(file) + ": expected this file, plain or as .gz, found neither");
  }

  @Test
  void refusesWhatIsNoDirectory() {
    Path absent = directory.resolve("absent");
    DataFileException e =
        assertThrows(DataFileException.class, () -> FashionScenes.fromDirectory(absent));
    assertEquals(
        absent
            + ": expected a directory with the files of Fashion-MNIST, found nothing of this name",
        e.getMessage());
    Path file = directory.resolve("train-images-idx3-ubyte");
    e = assertThrows(DataFileException.class, () -> FashionScenes.fromDirectory(file));
    assertEquals(
        file + ": expected a directory with the files of Fashion-MNIST, found no directory",
        e.getMessage());
  }

  @Test
  void refusesImagesOfAnotherSize() throws IOException {
    write("train-images-idx3-ubyte", IdxBytes.file(new byte[TRAIN * 32 * 28], TRAIN, 32, 28));
    assertRefused(
        directory.resolve("train-images-idx3-ubyte") + ": expected images of 28x28, found 32x28");
  }

  @Test
  void refusesAnotherNumberOfLabelsThanImages() throws IOException {
    write("t10k-labels-idx1-ubyte", IdxBytes.file(labels(8), 8));
    assertRefused(
        directory.resolve("t10k-labels-idx1-ubyte")
            + ": expected 7 labels, one for each image of "
            + directory.resolve("t10k-images-idx3-ubyte.gz")
            + ", found 8");
  }

  @Test
  void refusesLabelsOutOfRange() throws IOException {
    byte[] labels = labels(TEST);
    labels[4] = 10;
    write("t10k-labels-idx1-ubyte", IdxBytes.file(labels, TEST));
    assertRefused(
        directory.resolve("t10k-labels-idx1-ubyte")
            + ": expected labels 0 to 9, found 10 at index 4");
  }

  @Test
  void refusesSwappedFiles() throws IOException {
    write("train-images-idx3-ubyte", IdxBytes.file(labels(TRAIN), TRAIN));
    assertRefused(
        directory.resolve("train-images-idx3-ubyte")
            + ": expected IDX magic 00000803 (unsigned bytes, rank 3), found 00000801");
  }

  @Test
  void refusesTooFewImagesForAValidationSplit() throws IOException {
    write("train-images-idx3-ubyte", IdxBytes.file(images(9, 0), 9, 28, 28));
    write("train-labels-idx1-ubyte", IdxBytes.file(labels(9), 9));
    assertRefused(
        directory.resolve("train-images-idx3-ubyte")
            + ": expected 10 images or more, as one in ten is kept for validation, found 9");
  }

  private void assertRefused(String message) {
    DataFileException e =
        assertThrows(DataFileException.class, () -> FashionScenes.fromDirectory(directory));
    assertEquals(message, e.getMessage());
  }
}
