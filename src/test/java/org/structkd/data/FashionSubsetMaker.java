package org.structkd.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Makes the bundled subset out of the four files of Fashion-MNIST: run by {@code
 * src/main/data/make_subset.sh}.
 *
 * <p>Of each garment the first 500 images of the training file and the first 100 of the test file
 * are taken. The training file gets the first 450 of each garment in the order of the original,
 * then the other 50 of each: so its last tenth, which {@link FashionScenes} keeps for validation,
 * is class-balanced as well.
 */
final class FashionSubsetMaker {
  static final int TRAIN_PER_GARMENT = 450;
  static final int VALIDATION_PER_GARMENT = 50;
  static final int TEST_PER_GARMENT = 100;

  private FashionSubsetMaker() {}

  /**
   * Writes the four files.
   *
   * @param args folder with the original, folder for the subset
   */
  public static void main(String[] args) throws IOException {
    if (args.length != 2) {
      throw new IllegalArgumentException("usage: FashionSubsetMaker FROM TO");
    }
    Path from = Path.of(args[0]);
    Path to = Path.of(args[1]);
    Files.createDirectories(to);
    write(from, to, "train", TRAIN_PER_GARMENT, VALIDATION_PER_GARMENT);
    write(from, to, "t10k", TEST_PER_GARMENT, 0);
  }

  private static void write(Path from, Path to, String file, int first, int then)
      throws IOException {
    String imagesName = file + "-images-idx3-ubyte.gz";
    String labelsName = file + "-labels-idx1-ubyte.gz";
    SourceImages source =
        SourceImages.of(
            IdxFile.read(from.resolve(imagesName), 3), IdxFile.read(from.resolve(labelsName), 1));
    List<Integer> chosen = select(source, first, then);
    byte[] images = new byte[chosen.size() * SourceImages.SIZE * SourceImages.SIZE];
    byte[] labels = new byte[chosen.size()];
    int at = 0;
    for (int i = 0; i < labels.length; i++) {
      labels[i] = (byte) source.label(chosen.get(i));
      for (int row = 0; row < SourceImages.SIZE; row++) {
        for (int column = 0; column < SourceImages.SIZE; column++) {
          images[at++] = (byte) source.pixel(chosen.get(i), row, column);
        }
      }
    }
    Files.write(
        to.resolve(imagesName),
        IdxBytes.gzip(IdxBytes.file(images, labels.length, SourceImages.SIZE, SourceImages.SIZE)));
    Files.write(to.resolve(labelsName), IdxBytes.gzip(IdxBytes.file(labels, labels.length)));
  }

  /** Indices of the first {@code first} images of each garment, then of the next {@code then}. */
  static List<Integer> select(SourceImages source, int first, int then) {
    List<Integer> front = new ArrayList<>();
    List<Integer> back = new ArrayList<>();
    int[] seen = new int[SourceImages.GARMENTS];
    for (int i = 0; i < source.count(); i++) {
      int rank = seen[source.label(i)]++;
      if (rank < first) {
        front.add(i);
      } else if (rank < first + then) {
        back.add(i);
      }
    }
    if (Arrays.stream(seen).anyMatch(n -> n < first + then)) {
      throw new IllegalArgumentException(
          source.images() + ": fewer than " + (first + then) + " images of a garment");
    }
    front.addAll(back);
    return front;
  }
}
