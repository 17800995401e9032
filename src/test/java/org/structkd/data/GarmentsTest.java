package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class GarmentsTest {
  private static final int SIZE = Garments.SIZE;
  private static final int PIXELS = SIZE * SIZE;
  private static final Garments PLAIN = garments(0, 0, false);

  private static Garments garments(int labelled, int shift, boolean flip) {
    return Garments.bundled(new Garments.Config(labelled, 500, 1000, shift, flip, Map.of()));
  }

  private static Batch step(Garments garments, int size, long step) throws Exception {
    return garments.training(size).prepare(step).tensors();
  }

  private static double[][] images(Batch batch) {
    double[] all = Tensors.values(batch.input(Batch.IMAGES));
    return IntStream.range(0, all.length / PIXELS)
        .mapToObj(i -> Arrays.copyOfRange(all, i * PIXELS, (i + 1) * PIXELS))
        .toArray(double[][]::new);
  }

  /** Each image as a text of its grey values, which sets can hold. */
  private static List<String> texts(Batch batch) {
    List<String> texts = new ArrayList<>();
    for (double[] image : images(batch)) {
      StringBuilder text = new StringBuilder();
      for (double value : image) {
        text.append((char) Math.round(255 * value));
      }
      texts.add(text.toString());
    }
    return texts;
  }

  @Test
  void splitsShareNoImageAndATrainingSeesEachOnceARound() throws Exception {
    Set<String> seen = new HashSet<>(texts(step(PLAIN, 4500, 0)));
    assertEquals(4500, seen.size());
    assertEquals(seen, new HashSet<>(texts(step(PLAIN.withSeed(5), 4500, 3))));
    for (Split split : List.of(Split.VALIDATION, Split.TEST)) {
      List<String> others = texts(PLAIN.examples(split, 0, PLAIN.size(split)));
      assertTrue(others.stream().noneMatch(seen::contains), split.toString());
      seen.addAll(others);
    }
    assertEquals(6000, seen.size());
  }

  @Test
  void aBatchIsAFunctionOfSeedAndStep() throws Exception {
    Garments one = Garments.bundled(Garments.Config.defaults()).withSeed(3);
    Garments same = Garments.bundled(Garments.Config.defaults()).withSeed(3);
    assertEquals(texts(step(one, 8, 70)), texts(step(same, 8, 70)));
    assertFalse(texts(step(one, 8, 70)).equals(texts(step(one, 8, 71))));
    assertFalse(texts(step(one, 8, 70)).equals(texts(step(one.withSeed(4), 8, 70))));
  }

  /** Trainings that were recorded stay what they were. */
  @Test
  void aBatchIsTheOneThatItWas() throws Exception {
    Batch batch = step(Garments.bundled(Garments.Config.defaults()).withSeed(3), 8, 70);
    Fingerprint content = new Fingerprint();
    for (double value : Tensors.values(batch.input(Batch.IMAGES))) {
      content.add((int) Math.round(255 * value));
    }
    for (double label : Tensors.values(batch.target(Batch.LABELS))) {
      content.add((int) label);
    }
    assertEquals("a90a3a114340eae0", content.text());
  }

  @Test
  void imagesAndLabelsBelongTogether() throws Exception {
    Batch batch = PLAIN.examples(Split.TEST, 3, 2);
    assertArrayEquals(new long[] {2, 1, SIZE, SIZE}, batch.input(Batch.IMAGES).shape());
    SourceImages test = FashionImages.bundled().test();
    for (int i = 0; i < 2; i++) {
      assertEquals(test.label(3 + i), batch.target(Batch.LABELS).select(0, i).item_long());
      for (int at = 0; at < PIXELS; at++) {
        float expected = test.pixel(3 + i, at / SIZE, at % SIZE) / 255f;
        assertEquals(expected, (float) images(batch)[i][at]);
      }
    }
  }

  @Test
  void augmentationShiftsAndMirrors() throws Exception {
    double[][] plain = images(step(PLAIN, 600, 1));
    double[][] moved = images(step(garments(0, 2, true), 600, 1));
    Set<String> moves = new HashSet<>();
    for (int i = 0; i < plain.length; i++) {
      moves.add(move(plain[i], moved[i]));
    }
    assertEquals(2 * 5 * 5, moves.size()); // of 600 draws none of the 50 is likely to miss
  }

  private static String move(double[] plain, double[] moved) {
    for (int down = -2; down <= 2; down++) {
      for (int right = -2; right <= 2; right++) {
        for (boolean mirrored : new boolean[] {false, true}) {
          if (Arrays.equals(moved, moved(plain, down, right, mirrored))) {
            return down + " " + right + " " + mirrored;
          }
        }
      }
    }
    throw new AssertionError("no shift of up to 2 gives this image");
  }

  private static double[] moved(double[] plain, int down, int right, boolean mirrored) {
    double[] moved = new double[PIXELS];
    for (int row = 0; row < SIZE; row++) {
      for (int column = 0; column < SIZE; column++) {
        int fromRow = row - down;
        int from = mirrored ? SIZE - 1 - (column - right) : column - right;
        boolean inside = fromRow >= 0 && fromRow < SIZE && from >= 0 && from < SIZE;
        moved[row * SIZE + column] = inside ? plain[fromRow * SIZE + from] : 0;
      }
    }
    return moved;
  }

  @Test
  void halfOfABatchIsDrawnFromTheLabelledImages() throws Exception {
    Garments few = garments(10, 0, false);
    Set<String> labelled = new HashSet<>();
    Set<String> others = new HashSet<>();
    for (int step = 0; step < 4; step++) {
      Batch batch = step(few, 5, step);
      double[] labels = Tensors.values(batch.target(Batch.LABELS));
      List<String> texts = texts(batch);
      for (int i = 0; i < 5; i++) {
        assertEquals(i >= 3, labels[i] == SceneBatches.UNLABELLED);
        (i < 3 ? labelled : others).add(texts.get(i));
      }
    }
    assertEquals(10, labelled.size());
    assertEquals(8, others.size());
    assertTrue(others.stream().noneMatch(labelled::contains));
  }

  @Test
  void regionsAreInputsAndMayTakeThePlaceOfTheImages() throws Exception {
    Region upper = new Region(0, 4, 16, 20);
    Garments.Config config = new Garments.Config(0, 1, 1, 2, true, Map.of("upper", upper));
    Batch batch = step(Garments.bundled(config), 3, 0);
    Tensor expected = batch.input(Batch.IMAGES).narrow(2, 0, 16).narrow(3, 4, 20);
    assertTrue(batch.input("upper").equal(expected));
    Garments.Config alone = new Garments.Config(0, 1, 1, 2, true, Map.of(Batch.IMAGES, upper));
    Batch cropped = step(Garments.bundled(alone), 3, 0);
    assertEquals(Set.of(Batch.IMAGES), cropped.inputs().keySet());
    assertTrue(cropped.input(Batch.IMAGES).equal(expected));
  }

  @Test
  void whatThereIsNotIsRefused() {
    refused(
        "a region has top -1, left 0, height 4 and width 4, expected top and left of at least 0,"
            + " height and width of at least 1",
        () -> new Region(-1, 0, 4, 4));
    refused(
        "hem in regions takes the rows 20 to 31 and the columns 0 to 27, but images have 28 x 28",
        () -> new Garments.Config(0, 1, 1, 0, false, Map.of("hem", new Region(20, 0, 12, 28))));
    refused(
        "garments: shift is 29, expected 0 to 28",
        () -> new Garments.Config(0, 1, 1, 29, false, Map.of()));
    refused("garments: labelled is 4500, expected 0 to 4499", () -> garments(4500, 0, false));
    refused("garments: batch is 0, expected 1 to 65536", () -> PLAIN.training(0));
    refused(
        "garments: labelled is 3, expected at least 4, half a batch, or 0 for all images",
        () -> garments(3, 0, false).training(8));
    refused(
        "garments: validation is 501, expected 1 to 500",
        () -> Garments.bundled(new Garments.Config(0, 501, 1, 0, false, Map.of())));
    refused(
        "split is train, expected validation or test: training images come by training()",
        () -> PLAIN.size(Split.TRAIN));
    assertThrows(IndexOutOfBoundsException.class, () -> PLAIN.examples(Split.TEST, 999, 2));
    DataFileException missing =
        assertThrows(
            DataFileException.class,
            () -> Garments.fromDirectory(Path.of("nowhere"), Garments.Config.defaults()));
    assertTrue(missing.getMessage().startsWith("nowhere"), missing.getMessage());
  }
}
