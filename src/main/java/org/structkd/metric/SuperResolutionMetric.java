package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.Batch;
import org.structkd.data.Bicubic;
import org.structkd.data.SuperResolutionDataset;
import org.structkd.internal.Settings;

/**
 * How near enlarged images are to the true ones: PSNR, which leads, SSIM, and by how much the PSNR
 * is above that of bicubic enlargement, each a mean over images.
 *
 * <p>As in the field: answers are rounded to 256 levels, compared by the luma of BT.601 (grey
 * images as they are), and a border of {@code scale} pixels is left out. See {@link ImageQuality}.
 *
 * @param on tap with images [B, C, H, W] in high resolution
 * @param scale how many times larger they are than the input, 1 or more
 */
public record SuperResolutionMetric(String on, int scale) implements Metric {
  private static final String NAME = "super-resolution metric";
  private static final String PSNR = "psnr";

  /** Checks the scale. */
  public SuperResolutionMetric {
    Settings.requireCount(NAME, "scale", scale, 1);
  }

  @Override
  public Set<String> taps() {
    return Set.of(on);
  }

  @Override
  public String leading() {
    return PSNR;
  }

  @Override
  public Count count() {
    return new Qualities();
  }

  private final class Qualities implements Count {
    private double psnr;
    private double ssim;
    private double bicubic;
    private long images;

    @Override
    public void add(Map<String, Tensor> outputs, Batch batch) {
      Tensor answer = Taps.output(NAME, outputs, on);
      Tensor truth = batch.target(SuperResolutionDataset.HIGH_RESOLUTION);
      Tensor low = batch.input(Batch.IMAGES);
      Shape shape = shape(answer, truth, low);
      double[] answers = Pixels.levels(answer);
      double[] truths = Pixels.levels(truth);
      double[] enlarged = enlarged(low);
      for (int i = 0; i < shape.count; i++) {
        double[] true601 = shape.luma(truths, i);
        double[] own = shape.luma(answers, i);
        psnr += ImageQuality.psnr(own, true601);
        ssim += ImageQuality.ssim(own, true601, shape.height - 2 * scale, shape.width - 2 * scale);
        bicubic += ImageQuality.psnr(shape.luma(enlarged, i), true601);
      }
      images += shape.count;
    }

    @Override
    public Score score() {
      if (images == 0) {
        throw new IllegalStateException("no image was counted, so there is no score");
      }
      return new Score(
          List.of(
              new Score.Number(PSNR, "PSNR", psnr / images, "dB", true),
              new Score.Number("ssim", "SSIM", ssim / images, "", true),
              new Score.Number(
                  "gain", "gain over bicubic", (psnr - bicubic) / images, "dB", true)));
    }
  }

  /** Sizes of images in high resolution. */
  private record Shape(int count, int channels, int height, int width, int border) {
    double[] luma(double[] levels, int image) {
      int size = channels * height * width;
      double[] planes = Arrays.copyOfRange(levels, image * size, (image + 1) * size);
      return ImageQuality.cropped(ImageQuality.luma(planes, channels), height, width, border);
    }
  }

  private Shape shape(Tensor answer, Tensor truth, Tensor low) {
    long[] size = truth.shape();
    Taps.requireShape(NAME, on, answer, size);
    long least = ImageQuality.WINDOW + 2L * scale;
    if (size.length != 4 || size[1] != 1 && size[1] != 3 || size[2] < least || size[3] < least) {
      throw new IllegalArgumentException(
          "%s: images are %s, expected [B, 1 or 3, H, W] with H and W of at least %s"
              .formatted(NAME, Arrays.toString(size), least));
    }
    long[] expected = {size[0], size[1], size[2] / scale, size[3] / scale};
    if (!Arrays.equals(low.shape(), expected)) {
      throw new IllegalArgumentException(
          "%s: images in low resolution are %s, expected %s, a part of %s of %s"
              .formatted(
                  NAME,
                  Arrays.toString(low.shape()),
                  Arrays.toString(expected),
                  scale,
                  Arrays.toString(size)));
    }
    return new Shape((int) size[0], (int) size[1], (int) size[2], (int) size[3], scale);
  }

  /** Levels of images as bicubic interpolation enlarges them. */
  private double[] enlarged(Tensor low) {
    int height = (int) low.size(2);
    int width = (int) low.size(3);
    double[] levels =
        Bicubic.resized(Pixels.levels(low), height, width, scale * height, scale * width);
    for (int i = 0; i < levels.length; i++) {
      levels[i] = Pixels.rounded(levels[i]);
    }
    return levels;
  }

  /** {@inheritDoc} The image itself. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    Tensor images =
        answer.isEmpty() ? batch.target(SuperResolutionDataset.HIGH_RESOLUTION) : answer.get(on);
    return Pixels.picture(images.select(0, 0));
  }

  /** {@inheritDoc} The image as bicubic interpolation enlarges it. */
  @Override
  public Map<String, BufferedImage> baselines(Batch batch) {
    Tensor low = batch.input(Batch.IMAGES).narrow(0, 0, 1);
    int height = scale * (int) low.size(2);
    return Map.of("bicubic", Pixels.picture(enlarged(low), height, scale * (int) low.size(3)));
  }
}
