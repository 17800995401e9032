package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class SuperResolutionDatasetTest {
  private static SuperResolutionDataset of(int scale, int patch, boolean turned)
      throws IOException {
    return SuperResolutionDataset.of(
        PictureSource.GARMENTS, new SuperResolutionDataset.Config(scale, patch, turned, 20, 30));
  }

  private static Batch batch(SuperResolutionDataset data, long seed, long step) throws Exception {
    return data.withSeed(seed).training(6).prepare(step).tensors();
  }

  private static Tensor high(Batch batch) {
    return batch.target(SuperResolutionDataset.HIGH_RESOLUTION);
  }

  @Test
  void aBatchIsAFunctionOfSeedStepAndIndex() throws Exception {
    SuperResolutionDataset data = of(2, 16, true);
    Batch one = batch(data, 3, 7);
    Batch same = batch(of(2, 16, true), 3, 7);
    assertTrue(Tensors.sameBits(high(one), high(same)));
    assertTrue(Tensors.sameBits(one.input(Batch.IMAGES), same.input(Batch.IMAGES)));
    assertFalse(Tensors.sameBits(high(one), high(batch(data, 4, 7))));
    assertFalse(Tensors.sameBits(high(one), high(batch(data, 3, 8))));
    assertArrayEquals(new long[] {6, 1, 16, 16}, high(one).shape());
    assertArrayEquals(new long[] {6, 1, 8, 8}, one.input(Batch.IMAGES).shape());
  }

  /** Of a whole picture, whatever way it is turned, the low resolution is that of the high one. */
  @ParameterizedTest
  @CsvSource({"2", "4"})
  void theLowResolutionIsOfTheSamePlace(int scale) throws Exception {
    for (long step = 0; step < 4; step++) {
      Batch batch = batch(of(scale, 28, true), 1, step);
      double[] high = Tensors.values(high(batch).mul(new Scalar(255)));
      double[] low = Bicubic.resized(high, 28, 28, 28 / scale, 28 / scale);
      double[] given = Tensors.values(batch.input(Batch.IMAGES));
      for (int i = 0; i < low.length; i++) {
        double level = Math.max(0, Math.min(255, low[i]));
        assertEquals(level, 255 * given[i], 0.5001);
        assertEquals(Math.rint(255 * given[i]), 255 * given[i], 1e-4);
      }
    }
  }

  @Test
  void theEightTurnsAreDifferent() {
    byte[] levels = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    Picture picture = new Picture(1, 3, 3, levels);
    Set<List<Float>> seen = new HashSet<>();
    for (int turn = 0; turn < 8; turn++) {
      float[] turned = new float[9];
      picture.copySquare(0, 0, 3, turn, turned, 0);
      assertEquals(4 / 255f, turned[4]);
      seen.add(List.of(turned[0], turned[1], turned[2], turned[3]));
    }
    assertEquals(8, seen.size());
    float[] flipped = new float[4];
    picture.copySquare(1, 0, 2, 1, flipped, 0);
    assertArrayEquals(new float[] {4 / 255f, 3 / 255f, 7 / 255f, 6 / 255f}, flipped);
  }

  /** The two files of Fashion-MNIST, and the last tenth of one, have no picture in common. */
  @Test
  void splitsShareNoPicture() throws IOException {
    Map<Split, List<Picture>> pictures = PictureSource.GARMENTS.pictures();
    Set<String> seen = new HashSet<>();
    int count = 0;
    for (List<Picture> split : pictures.values()) {
      for (Picture picture : split) {
        seen.add(Arrays.toString(picture.levels()));
        count++;
      }
    }
    assertEquals(6000, count);
    assertEquals(count, seen.size());
  }

  @Test
  void thereAreAsManyTilesAsAreAskedForAndThere() throws IOException {
    SuperResolutionDataset data = of(2, 28, false);
    assertEquals(20, data.size(Split.VALIDATION));
    assertEquals(30, data.size(Split.TEST));
    assertEquals(
        1000,
        SuperResolutionDataset.of(
                PictureSource.GARMENTS,
                new SuperResolutionDataset.Config(2, 28, false, 1, Integer.MAX_VALUE))
            .size(Split.TEST));
    assertArrayEquals(new long[] {5, 1, 28, 28}, high(data.examples(Split.TEST, 25, 5)).shape());
    assertThrows(IndexOutOfBoundsException.class, () -> data.examples(Split.TEST, 26, 5));
    assertThrows(IllegalArgumentException.class, () -> data.size(Split.TRAIN));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          3 | 27 | 1 | scale is 3, expected 2 or 4
          4 | 26 | 1 | patch is 26, expected a multiple of 4, by which it is reduced
          2 | 0  | 1 | patch is 0, expected a multiple of 2, by which it is reduced
          2 | 28 | 0 | validation is 1 and test is 0, expected 1 or more
          2 | 30 | 1 | patch is 30, expected at most 28, the size of a picture
          """)
  void whatCannotBeCutIsRefused(int scale, int patch, int test, String sentence) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                SuperResolutionDataset.of(
                    PictureSource.GARMENTS,
                    new SuperResolutionDataset.Config(scale, patch, true, 1, test)));
    assertEquals(sentence, e.getMessage());
  }
}
