package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Rounding to 8 bits, against its formula in plain Java. */
@InScope
class FakeQuantizationTest {
  private static float nearest(float x, float scale, int zeroPoint) {
    return (float) Math.rint(x * (1f / scale)) + zeroPoint;
  }

  private static float rounded(float x, float scale, int zeroPoint, int low, int high) {
    float q = Math.max(low, Math.min(high, nearest(x, scale, zeroPoint)));
    return (q - zeroPoint) * scale;
  }

  private static boolean isInside(float x, float scale, int zeroPoint, int low, int high) {
    float q = nearest(x, scale, zeroPoint);
    return low <= q && q <= high;
  }

  private static Tensor leaf(float[] values, long... shape) {
    return Tensors.leaf(Tensor.create(values, shape), ScalarType.Float);
  }

  private static double[] gradientOfSum(Tensor rounded, Tensor of) {
    rounded.sum().backward();
    return Tensors.values(of.grad());
  }

  private static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  /** Three channels of four weights: random, ties of a scale of 1, and zeros; and tiny and huge. */
  static Stream<float[]> weights() {
    float[] random = new float[12];
    Random numbers = new Random(1);
    for (int i = 0; i < random.length; i++) {
      random[i] = (float) numbers.nextGaussian();
    }
    return Stream.of(
        random,
        new float[] {127.5f, 0.5f, 1.5f, -2.5f, -127.5f, -0.5f, 3.5f, 126.5f, 0, 0, 0, 0},
        new float[] {1e-45f, -1e-40f, 0, 0, 3e38f, -3e38f, 1e-30f, 1, -0f, 0, 0, 1e-37f});
  }

  @ParameterizedTest
  @MethodSource("weights")
  void weightsAreThoseOfTheFormula(float[] values) {
    Tensor weight = leaf(values, 3, 2, 1, 2);
    Tensor scale = FakeQuantization.weightScale(weight);
    float[] scales = new float[3];
    double[] expected = new double[12];
    double[] gradient = new double[12];
    double[] codes = new double[12];
    for (int channel = 0; channel < 3; channel++) {
      float largest = 0;
      for (int i = 0; i < 4; i++) {
        largest = Math.max(largest, Math.abs(values[4 * channel + i]));
      }
      scales[channel] = Math.max(largest / 127.5f, Float.MIN_NORMAL);
      for (int i = 4 * channel; i < 4 * channel + 4; i++) {
        expected[i] = rounded(values[i], scales[channel], 0, -128, 127);
        gradient[i] = isInside(values[i], scales[channel], 0, -128, 127) ? 1 : 0;
        codes[i] = Math.rint(expected[i] / scales[channel]);
      }
    }
    assertArrayEquals(doubles(scales), Tensors.values(scale));
    Tensor rounded = FakeQuantization.weight(weight, scale);
    assertArrayEquals(expected, Tensors.values(rounded));
    assertArrayEquals(gradient, gradientOfSum(rounded, weight));
    Tensor stored = FakeQuantization.weightCodes(weight, scale);
    assertEquals(ScalarType.Char, stored.scalar_type().intern());
    assertArrayEquals(codes, Tensors.values(stored));
  }

  /** Range and activations: both signs, one sign, without 0, of one value, nothing, huge, tiny. */
  static Stream<float[]> activations() {
    return Stream.of(
        new float[] {-1, 2, -1.5f, -1, -0.3f, 0, 0.1f, 1.99f, 2.01f, 100},
        new float[] {0, 255, 0.5f, 1.5f, 2.5f, 254.5f, 255.5f, -0.5f, -1, 128},
        new float[] {3, 5, 0, 2, 3, 4, 5, 6, -1},
        new float[] {-5, -3, 0, -2, -3, -4, -5, -6, 1},
        new float[] {7, 7, 7, 0, 8, 3},
        new float[] {0, 0, 0, 1e-38f},
        new float[] {-3e38f, 3e38f, 3e38f, 0, -3e38f, 1},
        new float[] {-1e-30f, 1e-30f, 1e-30f, 0, 5e-31f, 1e-20f});
  }

  @ParameterizedTest
  @MethodSource("activations")
  void activationsAreThoseOfTheFormula(float[] given) {
    float[] values = java.util.Arrays.copyOfRange(given, 2, given.length);
    double low = Math.min(given[0], 0);
    double high = Math.max(given[1], 0);
    float scale = (float) Math.max((high - low) / 255, Float.MIN_NORMAL);
    int zeroPoint = (int) Math.max(0, Math.min(255, Math.rint(-low / scale)));
    FakeQuantization.Activations uint8 = FakeQuantization.Activations.of(given[0], given[1]);
    assertEquals(new FakeQuantization.Activations(scale, zeroPoint), uint8);
    Tensor input = leaf(values, values.length);
    Tensor rounded = uint8.round(input);
    double[] expected = new double[values.length];
    double[] gradient = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      expected[i] = rounded(values[i], scale, zeroPoint, 0, 255);
      gradient[i] = isInside(values[i], scale, zeroPoint, 0, 255) ? 1 : 0;
    }
    assertArrayEquals(expected, Tensors.values(rounded));
    assertArrayEquals(gradient, gradientOfSum(rounded, input));
  }

  @Test
  void zeroIsExactAndAnErrorAtMostHalfAStep() {
    FakeQuantization.Activations uint8 = FakeQuantization.Activations.of(-0.37, 1.91);
    Tensor input = Tensors.sine(1.1, 0.7, 0.2, 0.8, 500).to(ScalarType.Float);
    double[] before = Tensors.values(input);
    double[] after = Tensors.values(uint8.round(input));
    for (int i = 0; i < before.length; i++) {
      double inside = Math.max(-0.37, Math.min(1.91, before[i]));
      assertTrue(
          Math.abs(after[i] - inside) <= 0.5001 * uint8.scale() + 1e-7, () -> "at " + inside);
    }
    assertEquals(0, uint8.round(leaf(new float[] {0}, 1)).item_float());
  }
}
