package org.structkd.data;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;

/**
 * A hundred faces of scikit-image's collection, grey, 25 x 25: 70 to learn from, 10 for validation
 * and 20 to test. Nobody is named, so that a person may be in two splits.
 */
final class Faces {
  /** Height and width of a face. */
  private static final int SIZE = 25;

  /** Faces in the file; as many pictures of other things lie behind them. */
  private static final int COUNT = 100;

  /** The first face of each split, and the first behind it. */
  private static final Map<Split, int[]> PLACES =
      Map.of(
          Split.TRAIN, new int[] {0, 70},
          Split.VALIDATION, new int[] {70, 80},
          Split.TEST, new int[] {80, COUNT});

  /** All faces in a column. */
  private static final String SHEET = "faces.png";

  /** Sum of the file in python3-skimage 0.19.3-8 of Debian 12. */
  static final PackagedData DATA =
      new PackagedData(
          "faces",
          "100 faces, grey, 25 x 25, without names (Labeled Faces in the Wild), for"
              + " super-resolution.",
          "BSD-3-Clause as a collection (Debian's copyright file), which says nothing of this file;"
              + " the faces are cut from photographs of the news, under terms that we do not know.",
          "python3-skimage",
          "20.7 MB",
          List.of(
              new PackagedData.Item(
                  "usr/lib/python3/dist-packages/skimage/data/lfw_subset.npy",
                  "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c")),
          Faces::convert);

  private Faces() {}

  private static void convert(Path root, Path into) throws IOException {
    byte[] file = Files.readAllBytes(root.resolve(DATA.files().get(0).path()));
    int header = NpzFile.headerOf(file); // elements of f64 behind it: the file's sum is checked
    DoubleBuffer intensities =
        ByteBuffer.wrap(file, header, file.length - header)
            .slice()
            .order(ByteOrder.LITTLE_ENDIAN)
            .asDoubleBuffer();
    BufferedImage sheet = new BufferedImage(SIZE, COUNT * SIZE, BufferedImage.TYPE_BYTE_GRAY);
    for (int at = 0; at < COUNT * SIZE * SIZE; at++) {
      int level = (int) Math.rint(Picture.WHITE * intensities.get(at));
      sheet.getRaster().setSample(at % SIZE, at / SIZE, 0, level);
    }
    Path to = into.resolve(SHEET);
    if (!ImageIO.write(sheet, "png", to.toFile())) {
      throw new IOException(to + " cannot be written: this Java writes no PNG");
    }
  }

  /** The faces of a split, out of the folder that {@link #convert} filled. */
  static List<Picture> of(Path folder, Split split) throws IOException {
    Picture sheet = Photos.read(folder.resolve(SHEET));
    if (sheet.width() != SIZE || sheet.height() != COUNT * SIZE) {
      throw new DataFileException(
          folder.resolve(SHEET).toString(),
          "%d x %d pixels".formatted(COUNT * SIZE, SIZE),
          "%d x %d".formatted(sheet.height(), sheet.width()));
    }
    int[] places = PLACES.get(split);
    List<Picture> faces = new ArrayList<>();
    int pixels = SIZE * SIZE;
    for (int face = places[0]; face < places[1]; face++) {
      byte[] levels = Arrays.copyOfRange(sheet.levels(), face * pixels, (face + 1) * pixels);
      faces.add(new Picture(1, SIZE, SIZE, levels));
    }
    return faces;
  }
}
