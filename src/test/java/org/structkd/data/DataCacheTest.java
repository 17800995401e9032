package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is taken out of packages, and what is refused. */
class DataCacheTest {
  /** SHA-256 of "abc", the example of FIPS 180-2. */
  private static final String ABC =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

  @TempDir private Path temp;

  private DataCache cache;
  private Path root;

  @BeforeEach
  void makeAPackage() throws IOException {
    cache = new DataCache(temp.resolve("cache"));
    root = Files.createDirectories(temp.resolve("root"));
    Files.createDirectories(root.resolve("usr"));
    Files.writeString(root.resolve("usr/letters"), "abc");
  }

  private static PackagedData made(PackagedData.Converter converter) {
    return new PackagedData(
        "letters",
        "Three letters.",
        "none",
        "structkd-has-no-such-package",
        "3 bytes",
        List.of(new PackagedData.Item("usr/letters", ABC)),
        converter);
  }

  private static PackagedData copied() {
    return made((from, into) -> Files.copy(from.resolve("usr/letters"), into.resolve("copy")));
  }

  private void assertNothingIsLeft(PackagedData data) throws IOException {
    assertFalse(cache.has(data));
    if (Files.exists(cache.folder())) {
      try (Stream<Path> files = Files.list(cache.folder())) {
        assertEquals(List.of(), files.toList());
      }
    }
  }

  @Test
  void aPackageIsTakenOnceAndThenIsThere() throws IOException {
    PackagedData data = copied();
    DataFileException missing = assertThrows(DataFileException.class, () -> cache.require(data));
    assertEquals(
        cache.folderOf(data)
            + ": expected the data set letters, which ./structkd data letters fetches, found"
            + " nothing",
        missing.getMessage());
    cache.take(data, root);
    assertEquals("abc", Files.readString(cache.require(data).resolve("copy")));
    cache.take(data, root);
    try (Stream<Path> files = Files.list(cache.folder())) {
      assertEquals(List.of(cache.folderOf(data)), files.toList());
    }
  }

  @Test
  void aFileOfAnotherSumIsRefused() throws IOException {
    Files.writeString(root.resolve("usr/letters"), "abd");
    DataFileException e = assertThrows(DataFileException.class, () -> cache.take(copied(), root));
    assertTrue(
        e.getMessage().startsWith(root.resolve("usr/letters") + ": expected SHA-256 " + ABC),
        e.getMessage());
    assertNothingIsLeft(copied());
  }

  @Test
  void aPackageWithoutTheFileIsRefused() throws IOException {
    DataFileException e =
        assertThrows(DataFileException.class, () -> cache.take(copied(), temp.resolve("none")));
    assertTrue(e.getMessage().contains("a file of the Debian package "), e.getMessage());
    assertNothingIsLeft(copied());
  }

  @Test
  void aConversionThatFailsLeavesNothing() throws IOException {
    PackagedData data =
        made(
            (from, into) -> {
              Files.writeString(into.resolve("half"), "a");
              throw new IOException("the disk is full");
            });
    assertEquals(
        "the disk is full",
        assertThrows(IOException.class, () -> cache.take(data, root)).getMessage());
    assertNothingIsLeft(data);
  }

  /** Where there is no apt-get the sentence says so, else what apt-get says. */
  @Test
  void aPackageThatCannotBeFetchedIsASentence() throws IOException {
    IOException e = assertThrows(IOException.class, () -> cache.fetch(copied()));
    assertTrue(e.getMessage().startsWith("data letters: apt-get "), e.getMessage());
    assertNothingIsLeft(copied());
  }

  @Test
  void aDataSetThatNobodyKnowsIsRefused() {
    assertEquals(Photos.DATA, PackagedData.named("photos"));
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> PackagedData.named("photo"));
    assertTrue(e.getMessage().endsWith("did you mean \"photos\"?"), e.getMessage());
  }

  /** Levels of grey files are those of the file: a colour model would brighten them. */
  @Test
  void photographsKeepTheirLevels() throws IOException {
    BufferedImage grey = new BufferedImage(3, 2, BufferedImage.TYPE_BYTE_GRAY);
    BufferedImage colours = new BufferedImage(2, 1, BufferedImage.TYPE_3BYTE_BGR);
    grey.getRaster().setSamples(0, 0, 3, 2, 0, new int[] {0, 1, 100, 128, 254, 255});
    colours.setRGB(0, 0, 0x010203);
    colours.setRGB(1, 0, 0xfffefd);
    Path file = temp.resolve("x.png");
    ImageIO.write(grey, "png", file.toFile());
    byte[] plane = {0, 1, 100, (byte) 128, (byte) 254, (byte) 255};
    Picture read = Photos.read(file);
    assertEquals(2, read.height());
    for (int channel = 0; channel < 3; channel++) {
      for (int at = 0; at < 6; at++) {
        assertEquals(plane[at], read.levels()[6 * channel + at]);
      }
    }
    ImageIO.write(colours, "png", file.toFile());
    assertArrayEquals(new byte[] {1, -1, 2, -2, 3, -3}, Photos.read(file).levels());
    Files.writeString(file, "no picture");
    assertThrows(DataFileException.class, () -> Photos.read(file));
    assertThrows(DataFileException.class, () -> Photos.read(temp.resolve("none.png")));
  }

  /** Runs where {@code ./structkd data faces} has run. */
  @Test
  void facesAreWholePictures() throws IOException {
    assumeTrue(DataCache.ofUser().has(Faces.DATA), "the data set faces is not here");
    SuperResolutionDataset data =
        SuperResolutionDataset.of(
            PictureSource.FACES, new SuperResolutionDataset.Config(2, 24, true, 100, 100));
    assertEquals(1, data.channels());
    assertEquals(10, data.size(Split.VALIDATION));
    assertEquals(20, data.size(Split.TEST));
    try (PointerScope scope = new PointerScope()) {
      Tensor faces = data.examples(Split.TEST, 0, 20).target("high_resolution");
      assertArrayEquals(new long[] {20, 1, 24, 24}, faces.shape());
      assertEquals(0.45, faces.mean().item_double(), 0.15, "neither black nor white");
    }
  }

  /** A sheet of another size, as another version of the data might be. */
  @Test
  void facesOfAnotherSizeAreRefused() throws IOException {
    BufferedImage sheet = new BufferedImage(25, 50, BufferedImage.TYPE_BYTE_GRAY);
    ImageIO.write(sheet, "png", temp.resolve("faces.png").toFile());
    assertEquals(
        temp.resolve("faces.png") + ": expected 2500 x 25 pixels, found 50 x 25",
        assertThrows(DataFileException.class, () -> Faces.of(temp, Split.TEST)).getMessage());
  }

  /** Runs where {@code ./structkd data photos} has run. */
  @Test
  void photosAreCutIntoTilesOfColours() throws IOException {
    assumeTrue(DataCache.ofUser().has(Photos.DATA), "the data set photos is not here");
    SuperResolutionDataset data =
        SuperResolutionDataset.of(
            PictureSource.PHOTOS, new SuperResolutionDataset.Config(4, 96, true, 20, 1000));
    assertEquals(3, data.channels());
    assertEquals(20, data.size(Split.VALIDATION));
    assertEquals(25 + 3 * 4 + 25 + 25, data.size(Split.TEST));
    try (PointerScope scope = new PointerScope()) {
      Map<String, Tensor> last = data.examples(Split.TEST, data.size(Split.TEST) - 1, 1).inputs();
      assertArrayEquals(new long[] {1, 3, 24, 24}, last.get(Batch.IMAGES).shape());
    }
  }
}
