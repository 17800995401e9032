package org.structkd.loss;

import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * How unlike an image others look at each of its pixels: {@code share mean_c clamp((1 - SSIM) / 2,
 * 0, 1) + (1 - share) mean_c |a - b|}. What depends on the image alone is computed once.
 *
 * @param image [B, C, H, W]
 * @param share of SSIM, 0 to 1
 * @param mean of the image's windows
 * @param square of it
 * @param spread of the image in its windows
 */
record Dissimilarity(Tensor image, double share, Tensor mean, Tensor square, Tensor spread) {
  /** SSIM's guards against flat windows, for images in 0 .. 1: 0.01^2 and 0.03^2. */
  private static final double C1 = 1e-4;

  private static final double C2 = 9e-4;

  static Dissimilarity to(Tensor image, double share) {
    Tensor mean = windows(image);
    Tensor square = mean.square();
    return new Dissimilarity(image, share, mean, square, windows(image.square()).sub(square));
  }

  /** {@return the dissimilarity of another image of this shape, [B, 1, H, W]} */
  Tensor of(Tensor a) {
    Tensor colours = a.sub(image).abs().mean(new long[] {1}, true, new ScalarTypeOptional());
    return colours.mul(new Scalar(1 - share)).add(structure(a).mul(new Scalar(share)));
  }

  /** mean_c clamp((1 - SSIM) / 2, 0, 1). */
  private Tensor structure(Tensor a) {
    Tensor meanA = windows(a);
    Tensor squareA = meanA.square();
    Tensor product = meanA.mul(mean);
    Tensor both = windows(a.square()).sub(squareA).add(spread);
    Tensor joint = windows(a.mul(image)).sub(product);
    Tensor ssim =
        guarded(product.mul(new Scalar(2)), C1)
            .mul(guarded(joint.mul(new Scalar(2)), C2))
            .div(guarded(squareA.add(square), C1).mul(guarded(both, C2)));
    Tensor half = ssim.neg().add(new Scalar(1)).div(new Scalar(2));
    return half.clamp_min(new Scalar(0))
        .clamp_max(new Scalar(1))
        .mean(new long[] {1}, true, new ScalarTypeOptional());
  }

  private static Tensor guarded(Tensor x, double guard) {
    return x.add(new Scalar(guard));
  }

  /** Means over 3x3 windows, images reflected at their borders. */
  private static Tensor windows(Tensor x) {
    return torch.avg_pool2d(
        torch.reflection_pad2d(x, 1, 1, 1, 1),
        new long[] {3, 3},
        new long[] {1, 1},
        new long[] {0, 0},
        false,
        true,
        new LongOptional());
  }
}
