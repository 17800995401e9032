package org.structkd.model;

import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Scopes;

/**
 * How an image is looked at in windows of one size that overlap. The class scores of a pixel are
 * the mean over the windows that hold it.
 *
 * <p>Windows begin at every stride; the last one of a row or column ends with the image, and so
 * overlaps more. Of an image that is smaller than a window, a network that {@linkplain
 * TappedNetwork#sizeMultiple tells what sizes it takes} sees no more than the image needs. Where
 * what it sees is larger than the image, it is filled up with 0 at the right and the bottom, which
 * is the mean colour of images that are normalised, and what is scored there is left out. Scores
 * are averaged as the network gives them, before any softmax.
 *
 * <p>Source: places and mean as {@code EncoderDecoder.slide_inference} of mmsegmentation 3ef3c90
 * has them; the default overlap of a third is that of Zhao et al., "Pyramid Scene Parsing Network",
 * CVPR 2017, released code.
 *
 * @param height of a window in pixels, 1 or more
 * @param width of a window in pixels, 1 or more
 * @param strideHeight rows from one window to the next, 1 to the height
 * @param strideWidth columns from one window to the next, 1 to the width
 */
public record SlidingWindow(int height, int width, int strideHeight, int strideWidth) {
  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException if one is out of its range; names it
   */
  public SlidingWindow {
    if (height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "a window is %d x %d, expected 1 x 1 or more".formatted(height, width));
    }
    requireStride("height", strideHeight, height);
    requireStride("width", strideWidth, width);
  }

  /** Windows of which neighbours have a third in common. */
  public SlidingWindow(int height, int width) {
    this(height, width, twoThirds(height), twoThirds(width));
  }

  private static int twoThirds(int size) {
    return Math.max(1, (int) Math.ceil(size * 2.0 / 3));
  }

  private static void requireStride(String side, int stride, int size) {
    if (stride < 1 || stride > size) {
      throw new IllegalArgumentException(
          "the stride of the %s is %d, expected 1 to %d, which leaves no pixel out"
              .formatted(side, stride, size));
    }
  }

  /** One window that holds an image of a size, each side a multiple of what networks ask for. */
  static SlidingWindow around(long height, long width, int multiple) {
    int h = Math.toIntExact(quotient(height, multiple) * multiple);
    int w = Math.toIntExact(quotient(width, multiple) * multiple);
    return new SlidingWindow(h, w, h, w);
  }

  /** This window, or the part of it that holds a whole image of a size. */
  SlidingWindow within(long rows, long columns, int multiple) {
    SlidingWindow whole = around(rows, columns, multiple);
    int h = Math.min(height, whole.height);
    int w = Math.min(width, whole.width);
    return new SlidingWindow(h, w, Math.min(strideHeight, h), Math.min(strideWidth, w));
  }

  /**
   * {@return class scores of whole images, [B, K, H, W], in the caller's PointerScope}
   *
   * @param images [B, C, H, W]
   * @param network makes the scores of a window, [B, K, height, width]
   */
  Tensor scores(Tensor images, UnaryOperator<Tensor> network) {
    return Scopes.resultOf(
        () -> {
          long rows = images.size(2);
          long columns = images.size(3);
          Tensor filled = filled(images);
          Tensor first = network.apply(part(filled, 0, 0).contiguous()); // tells how many classes
          Tensor sum = zeros(first, first.size(1), filled);
          Tensor windows = zeros(first, 1, filled);
          for (long top : starts(filled.size(2), height, strideHeight)) {
            for (long left : starts(filled.size(3), width, strideWidth)) {
              try (PointerScope temporaries = new PointerScope()) {
                Tensor scores =
                    top + left == 0 ? first : network.apply(part(filled, top, left).contiguous());
                part(sum, top, left).add_(scores);
                part(windows, top, left).add_(new Scalar(1));
              }
            }
          }
          return sum.div_(windows).narrow(2, 0, rows).narrow(3, 0, columns).contiguous();
        });
  }

  private Tensor filled(Tensor images) {
    long down = Math.max(0, height - images.size(2));
    long right = Math.max(0, width - images.size(3));
    return down + right == 0 ? images : torch.constant_pad_nd(images, 0, right, 0, down);
  }

  private Tensor part(Tensor map, long top, long left) {
    return map.narrow(2, top, height).narrow(3, left, width);
  }

  /** Zeros of the kind of the scores, for whole images. */
  private static Tensor zeros(Tensor scores, long channels, Tensor images) {
    return torch.zeros(
        new long[] {images.size(0), channels, images.size(2), images.size(3)}, scores.options());
  }

  private static long[] starts(long size, int window, int stride) {
    long[] starts = new long[Math.toIntExact(quotient(size - window, stride) + 1)];
    for (int i = 0; i < starts.length; i++) {
      starts[i] = Math.min((long) i * stride, size - window);
    }
    return starts;
  }

  /** Rounded up. */
  private static long quotient(long number, long divisor) {
    return (number + divisor - 1) / divisor;
  }
}
