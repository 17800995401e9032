package org.structkd.model;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Numbers rounded to those that 8 bits can tell, and given back as floats: a network that computes
 * with them has the errors of its quantised form while it trains.
 *
 * <pre>{@code
 * q = clamp(round(x / s) + z, lo, hi),   x' = (q - z) s,   dx'/dx = 1 if lo <= round(x / s) + z <= hi, else 0
 * weights      int8, lo = -128, hi = 127, for each output channel s = max |w| / 127.5, z = 0
 * activations  uint8, lo = 0, hi = 255, s = (max - min) / 255, z = clamp(round(-min / s), 0, 255)
 * }</pre>
 *
 * <p>Halves are rounded to even, and x / s is x times the reciprocal of s, in f32. A channel's
 * largest weight is such a half: 127.5 s becomes 127 s and, outside of the range, has no gradient;
 * -127.5 s becomes -128 s. The range of activations is made to contain 0, which is exact then, as
 * padding needs it; 0 as a weight is exact always.
 *
 * <p>Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", CVPR 2018, arXiv 1712.05877; the scale of weights is that of
 * PyTorch's {@code per_channel_symmetric} observers.
 */
final class FakeQuantization {
  private static final int WEIGHT_LOW = -128;
  private static final int WEIGHT_HIGH = 127;
  private static final int ACTIVATION_HIGH = 255;

  /** Half of the steps from -128 to 127. */
  private static final double WEIGHT_STEPS = 127.5;

  private FakeQuantization() {}

  /** {@return the scale f32 [out] of a weight [out, in, k, k]} No gradient flows through it. */
  static Tensor weightScale(Tensor weight) {
    Tensor largest = weight.detach().abs().amax(new long[] {1, 2, 3}, false);
    // A channel of zeros needs a scale, too: the least whose reciprocal is finite.
    return largest
        .to(ScalarType.Float)
        .div(new Scalar(WEIGHT_STEPS))
        .clamp_min(new Scalar(Float.MIN_NORMAL));
  }

  /** {@return a weight [out, in, k, k] of rounded numbers} */
  static Tensor weight(Tensor weight, Tensor scale) {
    Tensor zeroPoint = torch.zeros_like(scale).to(ScalarType.Int);
    return torch.fake_quantize_per_channel_affine(
        weight, scale, zeroPoint, 0, WEIGHT_LOW, WEIGHT_HIGH);
  }

  /** {@return the numbers q of a weight, i8 [out, in, k, k]} */
  static Tensor weightCodes(Tensor weight, Tensor scale) {
    Tensor rounded = weight(weight.detach(), scale);
    return rounded.div(scale.view(-1, 1, 1, 1)).round().to(ScalarType.Char);
  }

  /**
   * Which activations 8 bits can tell.
   *
   * @param scale distance of two of them
   * @param zeroPoint number of 0, 0 to 255
   */
  record Activations(float scale, int zeroPoint) {
    /** {@return those of a range, which is made to contain 0} */
    static Activations of(double min, double max) {
      double low = Math.min(min, 0);
      double high = Math.max(max, 0);
      float scale = Math.max((float) ((high - low) / ACTIVATION_HIGH), Float.MIN_NORMAL);
      double zeroPoint = Math.rint(-low / scale);
      return new Activations(scale, (int) Math.min(zeroPoint, ACTIVATION_HIGH));
    }

    /** {@return activations of any shape, rounded} */
    Tensor round(Tensor activations) {
      return torch.fake_quantize_per_tensor_affine(
          activations, scale, zeroPoint, 0, ACTIVATION_HIGH);
    }
  }
}
