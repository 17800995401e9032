package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.loss.LossInputs;
import org.structkd.loss.PhotometricLoss;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Made scenes and what is cut out of them. */
@InScope
class StereoDatasetTest {
  private static final PhotometricLoss LOSS = new PhotometricLoss(1, false, 0.85, 1, 20, 0);

  private static StereoDataset of(int height, boolean mirrored) throws IOException {
    return StereoDataset.of(StereoSource.MADE, new StereoDataset.Config(2, height, mirrored, 6, 8));
  }

  private static Batch batch(StereoDataset data, long seed, long step) throws Exception {
    return data.withSeed(seed).training(4).prepare(step).tensors();
  }

  private static double loss(Batch batch, Tensor depth) {
    Tensor sigma = depth.reciprocal().sub(new Scalar(0.05)).div(new Scalar(0.95));
    return LOSS.forward(
            new LossInputs(
                Map.of("disparity.0", sigma),
                Map.of(),
                Map.of(),
                batch.inputs(),
                OptionalLong.empty(),
                0,
                null))
        .item_double();
  }

  @Test
  void theLossReadsWhatIsThereByTheSameNames() throws IOException {
    assertEquals(of(0, false).examples(Split.TEST, 0, 1).inputs().keySet(), LOSS.needs().inputs());
  }

  /** What is left are pixels that the right view does not see. */
  @Test
  void theTrueDepthExplainsTheOtherView() throws IOException {
    Batch batch = of(0, false).examples(Split.TEST, 0, 8);
    Tensor truth = batch.target(StereoDataset.DEPTH);
    double right = loss(batch, truth);
    assertTrue(right < 0.05, "the truth: " + right);
    for (double factor : new double[] {0.8, 0.9, 1.1, 1.3}) {
      double wrong = loss(batch, truth.mul(new Scalar(factor)));
      assertTrue(wrong > 1.5 * right, factor + " gives " + wrong + ", the truth " + right);
    }
  }

  /** Pixel by pixel, where the left view's pixel is seen in the right one, too. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 5})
  void theRightViewMovedByTheTruthIsTheLeftOne(int index) {
    StereoPair pair = new MadeStereo(FashionScenes.bundled()).example(Split.TEST, index);
    double sum = 0;
    double still = 0;
    int seen = 0;
    for (int y = 0; y < pair.height(); y++) {
      for (int x = 0; x < pair.width(); x++) {
        if (isSeen(pair, x, y)) {
          double at = x - disparity(pair, x, y);
          int row = y * pair.width();
          int first = Math.min((int) at, pair.width() - 2);
          double rest = at - first;
          double moved =
              (1 - rest) * pair.right()[row + first] + rest * pair.right()[row + first + 1];
          sum += Math.abs(moved - pair.left()[row + x]);
          still += Math.abs(pair.right()[row + x] - pair.left()[row + x]);
          seen++;
        }
      }
    }
    assertTrue(seen > 0.7 * pair.height() * pair.width(), seen + " are seen");
    assertTrue(sum / seen < 0.02, "moved: " + sum / seen);
    assertTrue(still / seen > 0.06, "as it is: " + still / seen);
  }

  private static double disparity(StereoPair pair, int x, int y) {
    StereoPair.Camera camera = pair.camera();
    return camera.focal() * camera.baseline() / pair.depth()[y * pair.width() + x]
        - camera.offset();
  }

  /** Within the right view, and nothing nearer lands there; edges of garments are left out. */
  private static boolean isSeen(StereoPair pair, int x, int y) {
    double own = disparity(pair, x, y);
    if (x - own < 0) {
      return false;
    }
    for (int other = Math.max(0, x - 2); other < pair.width(); other++) {
      double nearer = disparity(pair, other, y);
      boolean lands = Math.abs(other - nearer - (x - own)) < 2;
      if (Math.abs(nearer - own) > 0.5 && (lands || Math.abs(other - x) < 3)) {
        return false;
      }
    }
    return true;
  }

  @Test
  void depthsAreThoseOfTheRoom() {
    StereoPair pair = new MadeStereo(FashionScenes.bundled()).example(Split.VALIDATION, 3);
    for (float depth : pair.depth()) {
      assertTrue(depth >= 1.55f && depth <= 9.2f, "depth " + depth);
    }
  }

  @Test
  void aBatchIsAFunctionOfSeedStepAndIndex() throws Exception {
    Batch one = batch(of(32, true), 3, 7);
    Batch same = batch(of(32, true), 3, 7);
    for (String name : one.inputs().keySet()) {
      assertTrue(Tensors.sameBits(one.input(name), same.input(name)), name);
    }
    assertFalse(Tensors.sameBits(one.input("images"), batch(of(32, true), 4, 7).input("images")));
    assertFalse(Tensors.sameBits(one.input("images"), batch(of(32, true), 3, 8).input("images")));
    assertArrayEquals(new long[] {4, 1, 32, 96}, one.input("images").shape());
    assertArrayEquals(new long[] {4, 1, 32, 96}, one.input("sources.0").shape());
    assertArrayEquals(new long[] {4, 3, 3}, one.input("cameras").shape());
    assertArrayEquals(new long[] {4, 4, 4}, one.input("poses.0").shape());
    assertEquals(Map.of(), one.targets(), "a training is told no depth");
  }

  /** In a mirror the views change sides, so that disparities stay above 0. */
  @Test
  void aMirroredPairIsAPair() {
    StereoPair pair = new MadeStereo(FashionScenes.bundled()).example(Split.TEST, 2);
    StereoPair mirrored = pair.mirrored();
    assertEquals(pair.right()[95], mirrored.left()[0]);
    assertEquals(pair.left()[96 + 90], mirrored.right()[96 + 5]);
    assertTrue(Float.isNaN(mirrored.depth()[100]));
    assertArrayEquals(pair.left(), mirrored.mirrored().left());
  }

  @Test
  void splitsAndIndicesAreOtherScenes() throws IOException {
    StereoDataset data = of(0, true);
    assertEquals(6, data.size(Split.VALIDATION));
    assertEquals(8, data.size(Split.TEST));
    assertEquals(OptionalInt.empty(), data.classes());
    Tensor test = data.examples(Split.TEST, 0, 2).input("images");
    assertFalse(Tensors.sameBits(test, data.examples(Split.VALIDATION, 0, 2).input("images")));
    assertFalse(Tensors.sameBits(test.narrow(0, 0, 1), test.narrow(0, 1, 1)));
    assertTrue(Tensors.sameBits(test, data.withSeed(5).examples(Split.TEST, 0, 2).input("images")));
    assertThrows(IndexOutOfBoundsException.class, () -> data.examples(Split.TEST, 7, 2));
    assertThrows(IllegalArgumentException.class, () -> data.size(Split.TRAIN));
    assertThrows(IllegalArgumentException.class, () -> data.training(0));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          3 | 0  | 1 | scale is 3, expected 1, 2 or 4
          2 | 20 | 1 | height is 20, expected a multiple of 16, or 0 for all rows
          2 | 80 | 1 | height is 80, expected at most 64, the rows of a block of made
          2 | 0  | 0 | validation is 1 and test is 0, expected 1 or more
          """)
  void whatCannotBeCutIsRefused(int scale, int height, int test, String sentence) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                StereoDataset.of(
                    StereoSource.MADE, new StereoDataset.Config(scale, height, true, 1, test)));
    assertEquals(sentence, e.getMessage());
  }

  @Test
  void theTruthIsFiniteAndAboveZero() throws IOException {
    Tensor depth = of(0, false).examples(Split.VALIDATION, 0, 6).target("depth");
    assertEquals(1, torch.isfinite(depth).logical_and(depth.gt(new Scalar(0))).all().item_int());
  }
}
