package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.data.Batch;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.testing.InScope;
import org.structkd.testing.PictureCases;

@InScope
class SuperResolutionMetricTest {
  private static final SuperResolutionMetric METRIC = new SuperResolutionMetric("image", 2);

  static List<JsonNode> cases() throws IOException {
    return PictureCases.of("quality");
  }

  /** Those of scikit-image. */
  @ParameterizedTest
  @MethodSource("cases")
  void qualitiesAgreeWithTheStoredCases(JsonNode one) {
    int height = one.get("height").intValue();
    int width = one.get("width").intValue();
    int border = one.get("border").intValue();
    double[][] lumas = new double[2][];
    String[] names = {"answer", "truth"};
    for (int i = 0; i < 2; i++) {
      double[] planes = PictureCases.numbers(one, names[i]);
      double[] luma = ImageQuality.luma(planes, one.get("channels").intValue());
      lumas[i] = ImageQuality.cropped(luma, height, width, border);
    }
    assertEquals(one.get("psnr").doubleValue(), ImageQuality.psnr(lumas[0], lumas[1]), 1e-9);
    assertEquals(
        one.get("ssim").doubleValue(),
        ImageQuality.ssim(lumas[0], lumas[1], height - 2 * border, width - 2 * border),
        1e-9);
  }

  private static Batch batch(Tensor high, Tensor low) {
    return new Batch(
        Map.of(Batch.IMAGES, low), Map.of(SuperResolutionDataset.HIGH_RESOLUTION, high));
  }

  private static Score score(Tensor answer, Batch batch) {
    Metric.Count count = METRIC.count();
    count.add(Map.of("image", answer), batch);
    return count.score();
  }

  /** A pixel that is 51 levels off everywhere; within a border nothing counts. */
  @Test
  void numbersAreThoseOfThePixelsWithinTheBorder() {
    Tensor truth = torch.full(new long[] {2, 1, 20, 16}, new Scalar(0.4));
    Batch batch = batch(truth, torch.full(new long[] {2, 1, 10, 8}, new Scalar(0.4)));
    Score off = score(truth.add(new Scalar(0.2)), batch);
    assertEquals(20 * Math.log10(5), off.leading().value(), 1e-9);
    assertEquals(20 * Math.log10(5) - 100, off.value("gain"), 1e-9);
    Tensor bordered = truth.clone();
    bordered.narrow(2, 0, 2).fill_(new Scalar(1));
    bordered.narrow(3, 14, 2).fill_(new Scalar(0));
    assertEquals(100, score(bordered, batch).leading().value());
    assertEquals(1, score(bordered, batch).value("ssim"), 1e-12);
    assertTrue(Double.isNaN(score(truth.mul(new Scalar(Double.NaN)), batch).leading().value()));
  }

  /** As in a file: what is not a whole level is rounded, what is beyond white is white. */
  @Test
  void answersAreRoundedAndClipped() {
    Tensor truth = torch.ones(1, 1, 16, 16);
    Batch batch = batch(truth, torch.ones(1, 1, 8, 8));
    assertEquals(100, score(truth.add(new Scalar(3)), batch).leading().value());
    assertEquals(100, score(truth.sub(new Scalar(0.4 / 255)), batch).leading().value());
    assertEquals(
        20 * Math.log10(255),
        score(truth.sub(new Scalar(0.6 / 255)), batch).leading().value(),
        1e-9);
  }

  @Test
  void batchesAreCountedTogether() {
    Tensor truth = torch.rand(3, 3, 16, 16);
    Tensor low = torch.rand(3, 3, 8, 8);
    Tensor answer = truth.mul(new Scalar(0.9));
    Metric.Count parts = METRIC.count();
    for (int i = 0; i < 3; i++) {
      parts.add(
          Map.of("image", answer.narrow(0, i, 1)),
          batch(truth.narrow(0, i, 1), low.narrow(0, i, 1)));
    }
    assertEquals(score(answer, batch(truth, low)), parts.score());
    assertThrows(IllegalStateException.class, () -> METRIC.count().score());
  }

  @Test
  void picturesAreTheImagesThemselves() {
    Tensor truth = torch.zeros(1, 3, 16, 16);
    truth.select(1, 2).fill_(new Scalar(1));
    Batch batch = batch(truth, torch.ones(1, 3, 8, 8));
    BufferedImage picture = METRIC.picture(Map.of(), batch);
    assertEquals(16, picture.getWidth());
    assertEquals(0x0000ff, picture.getRGB(3, 5) & 0xffffff);
    assertEquals(0xffffff, METRIC.baselines(batch).get("bicubic").getRGB(0, 15) & 0xffffff);
  }

  @Test
  void imagesThatDoNotFitAreRefused() {
    Batch batch = batch(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 8, 8));
    assertEquals(
        "super-resolution metric: tap \"image\" is [1, 1, 16, 18], expected [1, 1, 16, 16]",
        refused(torch.zeros(1, 1, 16, 18), batch));
    assertEquals(
        "super-resolution metric: images are [1, 1, 14, 16], expected [B, 1 or 3, H, W] with H and"
            + " W of at least 15",
        refused(
            torch.zeros(1, 1, 14, 16), batch(torch.zeros(1, 1, 14, 16), torch.zeros(1, 1, 7, 8))));
    assertEquals(
        "super-resolution metric: images in low resolution are [1, 1, 4, 4], expected [1, 1, 8, 8],"
            + " a part of 2 of [1, 1, 16, 16]",
        refused(
            torch.zeros(1, 1, 16, 16),
            batch(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 4, 4).to(ScalarType.Float))));
    assertThrows(IllegalArgumentException.class, () -> new SuperResolutionMetric("image", 0));
  }

  private static String refused(Tensor answer, Batch batch) {
    return assertThrows(IllegalArgumentException.class, () -> score(answer, batch)).getMessage();
  }

  @Test
  void picturesOfOtherSizesHaveNoQuality() {
    double[] one = new double[121];
    assertThrows(IllegalArgumentException.class, () -> ImageQuality.psnr(one, new double[120]));
    assertThrows(IllegalArgumentException.class, () -> ImageQuality.ssim(one, one, 10, 12));
    assertThrows(IllegalArgumentException.class, () -> ImageQuality.luma(one, 2));
    assertThrows(IllegalArgumentException.class, () -> ImageQuality.cropped(one, 11, 11, 6));
  }
}
