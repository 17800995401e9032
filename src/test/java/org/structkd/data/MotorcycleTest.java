package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The photographed pair, by a small one of its form; the real one is in no repository. */
class MotorcycleTest {
  private static final int HEIGHT = 170;
  private static final int WIDTH = 70;

  @TempDir private Path folder;

  @BeforeEach
  void makeAPair() throws IOException {
    write("motorcycle_left.png", HEIGHT, WIDTH, 0);
    write("motorcycle_right.png", HEIGHT, WIDTH, 100);
    float[] disparity = new float[HEIGHT * WIDTH];
    for (int at = 0; at < disparity.length; at++) {
      disparity[at] = 8 + at % WIDTH / 2; // steps of two pixels
    }
    disparity[0] = Float.POSITIVE_INFINITY;
    writeDisparity(HEIGHT, WIDTH, disparity);
  }

  /** Red tells the row. */
  private void write(String name, int height, int width, int blue) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int at = 0; at < width * height; at++) {
      image.setRGB(at % width, at / width, at / width << 16 | blue);
    }
    ImageIO.write(image, "png", folder.resolve(name).toFile());
  }

  private void writeDisparity(int height, int width, float... disparity) throws IOException {
    byte[] npy = NpzFileTest.npy(NpzFileTest.header("(" + height + ", " + width + ")"), disparity);
    Files.write(folder.resolve("motorcycle_disp.npz"), NpzFileTest.zip("arr_0.npy", npy));
  }

  private static Set<Integer> reds(StereoPair pair, float[] view) {
    Set<Integer> rows = new HashSet<>();
    for (int at = 0; at < pair.height() * pair.width(); at++) {
      rows.add(Math.round(255 * view[at]));
    }
    return rows;
  }

  /** Rows 0 to 31 train, 32 to 63 test and so on; of either view no row is in two blocks. */
  @Test
  void noRowOfEitherViewServesTwoSplits() throws IOException {
    Motorcycle pairs = Motorcycle.of(folder, 1);
    assertEquals(32, pairs.height());
    assertEquals(List.of(1, 1), List.of(pairs.count(Split.TEST), pairs.count(Split.VALIDATION)));
    Set<Integer> trained = new HashSet<>();
    for (long key = 0; key < 64; key++) {
      StereoPair pair = pairs.training(key);
      trained.addAll(reds(pair, pair.left()));
      trained.addAll(reds(pair, pair.right()));
    }
    assertEquals(3 * 32, trained.size());
    for (Split split : List.of(Split.VALIDATION, Split.TEST)) {
      StereoPair pair = pairs.example(split, 0);
      Set<Integer> own = reds(pair, pair.left());
      assertEquals(own, reds(pair, pair.right()));
      assertEquals(32, own.size());
      own.retainAll(trained);
      assertEquals(Set.of(), own, split + " shares rows with training");
    }
    assertTrue(
        reds(pairs.example(Split.TEST, 0), pairs.example(Split.TEST, 0).left()).contains(32));
  }

  @Test
  void depthIsThatOfTheCamera() throws IOException {
    StereoPair pair = Motorcycle.of(folder, 1).example(Split.TEST, 0);
    assertEquals(64, pair.width());
    assertEquals(994.978 * 0.193001 / (8 + 31.086), pair.depth()[0], 1e-5);
    assertEquals(994.978 * 0.193001 / (39 + 31.086), pair.depth()[63], 1e-5);
    float first = Motorcycle.of(folder, 1).training(firstBlock(folder)).depth()[0];
    assertTrue(Float.isNaN(first), "what was not measured is not known");
  }

  private static long firstBlock(Path folder) throws IOException {
    Motorcycle pairs = Motorcycle.of(folder, 1);
    long key = 0;
    while (pairs.training(key).left()[0] != 0) {
      key++;
    }
    return key;
  }

  /** Reduced by two, disparities are halved, and so is the camera: depth stays. */
  @Test
  void aReducedPairHasTheSameDepth() throws IOException {
    StereoPair whole = Motorcycle.of(folder, 1).example(Split.TEST, 0);
    StereoPair half = Motorcycle.of(folder, 2).example(Split.TEST, 0);
    assertEquals(32, half.width());
    assertEquals(16, half.height());
    float[] everySecond = new float[32];
    for (int x = 0; x < 32; x++) {
      everySecond[x] = whole.depth()[2 * x];
    }
    assertArrayEquals(everySecond, Arrays.copyOf(half.depth(), 32), 1e-5f);
    assertEquals(994.978 / 2, half.camera().focal());
  }

  private String refused(int scale) {
    return assertThrows(DataFileException.class, () -> Motorcycle.of(folder, scale)).getMessage();
  }

  @Test
  void whatDoesNotFitIsASentence() throws IOException {
    assertEquals(folder + ": expected 80 rows or more at a scale of 4, found 42", refused(4));
    write("motorcycle_right.png", HEIGHT, WIDTH - 1, 0);
    assertEquals(
        folder.resolve("motorcycle_right.png")
            + ": expected 170 x 70 as the left view, found 170 x 69",
        refused(1));
    makeAPair();
    writeDisparity(1, 2, 3, 4);
    assertEquals(
        folder.resolve("motorcycle_disp.npz") + ": expected 170 x 70 as the left view, found 1 x 2",
        refused(1));
    float[] disparity = new float[HEIGHT * WIDTH];
    Arrays.fill(disparity, Float.NaN);
    writeDisparity(HEIGHT, WIDTH, disparity);
    assertTrue(refused(1).endsWith("expected disparities that are finite, found none"));
    disparity[7] = -1;
    writeDisparity(HEIGHT, WIDTH, disparity);
    assertTrue(refused(1).endsWith("expected disparities above 0, found -1.0"));
    Files.delete(folder.resolve("motorcycle_left.png"));
    assertTrue(refused(1).contains("motorcycle_left.png: expected a photograph, found nothing"));
  }
}
