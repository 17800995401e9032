package org.structkd.data;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntBinaryOperator;
import java.util.function.IntUnaryOperator;
import javax.imageio.ImageIO;

/** Made photographs and masks in a folder. */
public final class ImageFolder {
  private ImageFolder() {}

  /** A photograph out of the colour 0xRRGGBB at each row and column. */
  public static Path photograph(Path file, int height, int width, IntBinaryOperator colour)
      throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int row = 0; row < height; row++) {
      for (int column = 0; column < width; column++) {
        image.setRGB(column, row, colour.applyAsInt(row, column));
      }
    }
    return write(image, file);
  }

  /** A mask of a palette out of the value at each pixel, counted row by row. */
  public static Path mask(Path file, int height, int width, IntUnaryOperator value)
      throws IOException {
    byte[] levels = new byte[256];
    for (int i = 0; i < levels.length; i++) {
      levels[i] = (byte) (7 * i); // colours say nothing: indices count
    }
    BufferedImage image =
        new BufferedImage(
            width,
            height,
            BufferedImage.TYPE_BYTE_INDEXED,
            new IndexColorModel(8, 256, levels, levels, levels));
    return fill(image, file, value);
  }

  /** A mask in grey of 16 bits. */
  static Path wideMask(Path file, int height, int width, IntUnaryOperator value)
      throws IOException {
    return fill(new BufferedImage(width, height, BufferedImage.TYPE_USHORT_GRAY), file, value);
  }

  private static Path fill(BufferedImage image, Path file, IntUnaryOperator value)
      throws IOException {
    for (int at = 0; at < image.getWidth() * image.getHeight(); at++) {
      image
          .getRaster()
          .setSample(at % image.getWidth(), at / image.getWidth(), 0, value.applyAsInt(at));
    }
    return write(image, file);
  }

  private static Path write(BufferedImage image, Path file) throws IOException {
    Files.createDirectories(file.getParent());
    String name = file.getFileName().toString();
    if (!ImageIO.write(image, name.substring(name.lastIndexOf('.') + 1), file.toFile())) {
      throw new IOException("no writer for " + name);
    }
    return file;
  }

  /**
   * {@code images/} and {@code masks/} of the names: a photograph is dark on the left, class 0, and
   * bright on the right, class 1, and has a frame of a pixel that does not count, 255.
   */
  public static Path pairs(Path root, int height, int width, List<String> names)
      throws IOException {
    for (String name : names) {
      int shade = Math.floorMod(name.hashCode(), 64);
      photograph(
          root.resolve("images").resolve(name + ".png"),
          height,
          width,
          (row, column) -> 0x010101 * (column < width / 2 ? shade : 192 + shade));
      mask(
          root.resolve("masks").resolve(name + ".png"),
          height,
          width,
          at -> {
            int row = at / width;
            int column = at % width;
            boolean frame = row == 0 || column == 0 || row == height - 1 || column == width - 1;
            return frame ? 255 : column < width / 2 ? 0 : 1;
          });
    }
    return root;
  }
}
