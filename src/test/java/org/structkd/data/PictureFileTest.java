package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PictureFileTest {
  /** Most that JPEG of a good quality changes a level within a patch. */
  private static final int JPEG = 12;

  @TempDir private Path folder;

  private static int level(Picture picture, int channel, int row, int column) {
    int at = (channel * picture.height() + row) * picture.width() + column;
    return picture.levels()[at] & 255;
  }

  private static void assertColour(int expected, Picture picture, int row, int column, int off) {
    for (int channel = 0; channel < 3; channel++) {
      assertEquals(
          expected >> 8 * (2 - channel) & 255,
          level(picture, channel, row, column),
          off,
          "channel %d of %d, %d".formatted(channel, row, column));
    }
  }

  /** Four patches: red, green, blue and yellow, 16 x 24. */
  private static int patch(int row, int column) {
    return row < 8 ? (column < 12 ? 0xc82828 : 0x28c828) : (column < 12 ? 0x2828c8 : 0xdcdc3c);
  }

  private Path jpeg(String name) throws IOException {
    return ImageFolder.photograph(folder.resolve(name), 16, 24, PictureFileTest::patch);
  }

  @Test
  void coloursAreThoseOfTheFile() throws IOException {
    Path file =
        ImageFolder.photograph(
            folder.resolve("a.png"), 3, 2, (row, column) -> 0x102030 + 0x10000 * row + column);
    Picture picture = PictureFile.colours(file);
    assertEquals(3, picture.height());
    assertEquals(2, picture.width());
    for (int row = 0; row < 3; row++) {
      for (int column = 0; column < 2; column++) {
        assertColour(0x102030 + 0x10000 * row + column, picture, row, column, 0);
      }
    }
  }

  @Test
  void greyKeepsItsLevelsAndPalettesGiveTheirColours() throws IOException {
    BufferedImage grey = new BufferedImage(256, 1, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 256; i++) {
      grey.getRaster().setSample(i, 0, 0, i);
    }
    Path file = folder.resolve("grey.png");
    ImageIO.write(grey, "png", file.toFile());
    Picture picture = PictureFile.colours(file);
    for (int i = 0; i < 256; i++) {
      assertColour(0x010101 * i, picture, 0, i, 0);
    }
    Path palette = ImageFolder.mask(folder.resolve("palette.png"), 1, 4, at -> at);
    assertColour(0x151515, PictureFile.colours(palette), 0, 3, 0);
  }

  /** Made by Pillow 11 from {@link #patch}: Adobe's inks, which are stored inverted. */
  @Test
  void fourInksBecomeThreeColours() throws IOException {
    Path file = folder.resolve("four-inks.jpg");
    try (InputStream in = getClass().getResourceAsStream("four-inks.jpg")) {
      Files.copy(in, file);
    }
    Picture picture = PictureFile.colours(file);
    assertColour(0xc82828, picture, 3, 4, JPEG);
    assertColour(0x28c828, picture, 3, 20, JPEG);
    assertColour(0x2828c8, picture, 12, 4, JPEG);
  }

  /** Which patch is shown at the upper left and at its right, by the EXIF tag Orientation. */
  @ParameterizedTest
  @CsvSource({
    "1, c82828, 28c828, 16",
    "2, 28c828, c82828, 16",
    "3, dcdc3c, 2828c8, 16",
    "4, 2828c8, dcdc3c, 16",
    "5, c82828, 2828c8, 24",
    "6, 2828c8, c82828, 24",
    "7, dcdc3c, 28c828, 24",
    "8, 28c828, dcdc3c, 24"
  })
  void photographsAreTurnedAsTheCameraWasHeld(
      int orientation, String upperLeft, String upperRight, int height) throws IOException {
    byte[] plain = Files.readAllBytes(jpeg("plain.jpg"));
    ByteArrayOutputStream held = new ByteArrayOutputStream();
    held.write(plain, 0, 2);
    held.write(exif(orientation));
    held.write(plain, 2, plain.length - 2);
    Path file = Files.write(folder.resolve("held.jpg"), held.toByteArray());
    Picture picture = PictureFile.colours(file);
    assertEquals(height, picture.height());
    assertColour(Integer.parseInt(upperLeft, 16), picture, 3, 3, JPEG);
    assertColour(Integer.parseInt(upperRight, 16), picture, 3, picture.width() - 4, JPEG);
  }

  /** An APP1 segment with one entry, tag 0x0112 of type SHORT. */
  private static byte[] exif(int orientation) {
    int[] bytes = {
      0xff,
      0xe1,
      0,
      34,
      'E',
      'x',
      'i',
      'f',
      0,
      0,
      'M',
      'M',
      0,
      42,
      0,
      0,
      0,
      8,
      0,
      1,
      1,
      0x12,
      0,
      3,
      0,
      0,
      0,
      1,
      0,
      orientation,
      0,
      0,
      0,
      0,
      0,
      0
    };
    byte[] segment = new byte[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      segment[i] = (byte) bytes[i];
    }
    return segment;
  }

  @Test
  void masksGiveTheirNumbers() throws IOException {
    int[] expected = {0, 1, 200, 255};
    Path palette = ImageFolder.mask(folder.resolve("p.png"), 2, 2, at -> expected[at]);
    assertArrayEquals(expected, PictureFile.mask(palette).values());
    assertFalse(PictureFile.mask(palette).coloured());
    int[] wide = {0, 300, 65535, 7};
    Path grey = ImageFolder.wideMask(folder.resolve("w.png"), 2, 2, at -> wide[at]);
    assertArrayEquals(wide, PictureFile.mask(grey).values());
    Path colours = ImageFolder.photograph(folder.resolve("c.png"), 1, 2, (r, c) -> 0x804020 + c);
    assertArrayEquals(new int[] {0x804020, 0x804021}, PictureFile.mask(colours).values());
    assertTrue(PictureFile.mask(colours).coloured());
  }

  @Test
  void brokenFilesAreNamed() throws IOException {
    refused(folder.resolve("none.png"), "expected a photograph, found nothing");
    refused(Files.write(folder.resolve("empty.png"), new byte[0]), "found 0 bytes");
    refused(
        Files.writeString(folder.resolve("text.jpg"), "no image"),
        "found no image that this Java can read");
    byte[] whole = Files.readAllBytes(jpeg("whole.jpg"));
    for (int cut : new int[] {1, 4, 20, whole.length / 2, whole.length - 100}) {
      Path file = Files.write(folder.resolve(cut + ".jpg"), Arrays.copyOf(whole, cut));
      refused(file, "expected a photograph, found ");
    }
    Path png = ImageFolder.photograph(folder.resolve("w.png"), 40, 40, (r, c) -> r * 7919 * c);
    byte[] bytes = Files.readAllBytes(png);
    for (int cut : new int[] {9, 40, bytes.length / 2}) {
      Path file = Files.write(folder.resolve(cut + ".png"), Arrays.copyOf(bytes, cut));
      refused(file, "expected a photograph, found ");
    }
  }

  /** A PNG header may say any size. */
  @Test
  void sizesBeyondReasonAreRefused() throws IOException {
    Path png = ImageFolder.photograph(folder.resolve("w.png"), 4, 4, (r, c) -> 0);
    byte[] bytes = Files.readAllBytes(png);
    bytes[17] = 1; // width 65,540
    bytes[21] = 1; // height 65,540
    java.util.zip.CRC32 crc = new java.util.zip.CRC32();
    crc.update(bytes, 12, 17);
    for (int i = 0; i < 4; i++) {
      bytes[29 + i] = (byte) (crc.getValue() >> 8 * (3 - i));
    }
    refused(Files.write(png, bytes), "expected at most 268435456 pixels, found 4295491600 pixels");
  }

  private static void refused(Path file, String sentence) {
    DataFileException error =
        assertThrows(DataFileException.class, () -> PictureFile.colours(file));
    assertTrue(error.getMessage().startsWith(file + ": "), error.getMessage());
    assertTrue(error.getMessage().contains(sentence), error.getMessage());
  }
}
