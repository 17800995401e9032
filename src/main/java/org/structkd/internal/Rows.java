package org.structkd.internal;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Sums along the last dimension of a tensor, and what is made of them. Numbers are added in an
 * order that the shape alone decides: where LibTorch brings many numbers down to one, it cuts the
 * sum into a part for each thread.
 */
public final class Rows {
  /** LibTorch adds fewer than 32,768 numbers on one thread (at::internal::GRAIN_SIZE). */
  private static final long PART = 16_384;

  /** The length below which F.normalize does not scale further. */
  private static final double LEAST_LENGTH = 1e-12;

  private Rows() {}

  /** {@return the sum of each row} */
  public static Tensor sum(Tensor rows) {
    Tensor rest = rows;
    while (rest.size(-1) > PART) {
      long parts = (rest.size(-1) + PART - 1) / PART;
      Tensor padded = torch.constant_pad_nd(rest, 0, parts * PART - rest.size(-1));
      rest = padded.unflatten(-1, parts, PART).sum(-1);
    }
    return rest.sum(-1);
  }

  /** {@return the mean of each row} */
  public static Tensor mean(Tensor rows) {
    return sum(rows).div(new Scalar(rows.size(-1)));
  }

  /** {@return the mean of all elements} */
  public static Tensor meanOfAll(Tensor values) {
    return mean(values.flatten());
  }

  /** {@return the sum of all elements} */
  public static Tensor sumOfAll(Tensor values) {
    return sum(values.flatten());
  }

  /** {@return rows without their means} */
  public static Tensor centered(Tensor rows) {
    return rows.sub(mean(rows).unsqueeze(-1));
  }

  /** {@return the length of each row; its gradient is 0 where the length is 0} */
  public static Tensor lengths(Tensor rows) {
    Tensor squares = sum(rows.square());
    Tensor zero = squares.eq(new Scalar(0));
    return squares.masked_fill(zero, new Scalar(1)).sqrt().masked_fill(zero, new Scalar(0));
  }

  /**
   * {@return rows of length 1, as F.normalize makes them: x / max(|x|, 1e-12)} A row of zeros has
   * gradient 0, where F.normalize multiplies it by 1e12.
   */
  public static Tensor unit(Tensor rows) {
    Tensor lengths = lengths(rows).unsqueeze(-1);
    Tensor some = rows.masked_fill(lengths.eq(new Scalar(0)), new Scalar(0));
    return some.div(lengths.clamp_min(new Scalar(LEAST_LENGTH)));
  }

  /**
   * {@return rows of mean 0 and deviation 1: (x - mean) / (deviation + eps), of the deviation that
   * divides by one less than there are numbers, as Tensor.std does}
   */
  public static Tensor standardized(Tensor rows, double eps) {
    Tensor centered = centered(rows);
    Tensor deviations = lengths(centered).div(new Scalar(Math.sqrt(rows.size(-1) - 1)));
    return centered.div(deviations.add(new Scalar(eps)).unsqueeze(-1));
  }
}
