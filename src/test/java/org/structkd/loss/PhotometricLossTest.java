package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** A plane seen by two cameras: the right depth explains the other view, a still camera nothing. */
@InScope
class PhotometricLossTest {
  private static final int SIZE = 16;
  private static final double FOCAL = 10;
  private static final double BASELINE = 0.2;

  /** By which the plane's two views are shifted: focal length times baseline over its depth, 1. */
  private static final double SHIFT = FOCAL * BASELINE;

  private static final PhotometricLoss UNMASKED = new PhotometricLoss(1, false, 0.85, 0.1, 100, 0);

  /** Stripes, begun elsewhere. */
  private static Tensor view(double shift) {
    double[] values = new double[SIZE * SIZE];
    for (int i = 0; i < values.length; i++) {
      values[i] = 0.5 + 0.4 * Math.sin(0.5 * (i % SIZE + shift) + 0.3 * (i / SIZE));
    }
    return Tensor.create(values, 1, 1, SIZE, SIZE);
  }

  private static Map<String, Tensor> stereo(Tensor left, Tensor right) {
    double[] camera = {FOCAL, 0, SIZE / 2, 0, FOCAL, SIZE / 2, 0, 0, 1};
    double[] pose = {1, 0, 0, -BASELINE, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("images", left);
    inputs.put("sources.0", right);
    inputs.put("cameras", Tensor.create(camera, 1, 3, 3));
    inputs.put("poses.0", Tensor.create(pose, 1, 4, 4));
    return inputs;
  }

  private static LossInputs inputs(Tensor disparity, Map<String, Tensor> inputs, long step) {
    return new LossInputs(
        Map.of("disparity.0", disparity),
        Map.of(),
        Map.of(),
        inputs,
        OptionalLong.empty(),
        step,
        null);
  }

  /** The disparity of a depth for depths from 0.1 to 100. */
  private static Tensor disparity(double depth) {
    return torch
        .full(new long[] {1, 1, SIZE, SIZE}, new Scalar((1 / depth - 0.01) / (10 - 0.01)))
        .to(ScalarType.Double);
  }

  private static double value(double depth) {
    LossInputs in = inputs(disparity(depth), stereo(view(0), view(SHIFT)), 0);
    return UNMASKED.forward(in).item_double();
  }

  @Test
  void theRightDepthExplainsTheOtherView() {
    double right = value(1);
    assertTrue(right < 0.06, "borders are all that is left: " + right);
    for (double wrong : new double[] {0.5, 0.8, 1.3, 3}) {
      assertTrue(value(wrong) > 1.5 * right, wrong + " gives " + value(wrong));
    }
  }

  @Test
  void theGradientLeadsToTheRightDepth() {
    for (double depth : new double[] {0.9, 1.1}) {
      Tensor disparity = Tensors.leaf(disparity(depth), ScalarType.Double);
      UNMASKED.forward(inputs(disparity, stereo(view(0), view(SHIFT)), 0)).backward();
      double slope = disparity.grad().sum().item_double();
      assertTrue(depth < 1 ? slope > 0 : slope < 0, depth + ": " + slope);
    }
  }

  @Test
  void aStillCameraTeachesNothing() {
    Tensor disparity = Tensors.leaf(disparity(0.7), ScalarType.Double);
    Tensor loss = PhotometricLoss.stereo().forward(inputs(disparity, stereo(view(0), view(0)), 0));
    assertEquals(0, loss.item_double(), 1e-4); // the noise
    loss.backward();
    assertEquals(0, disparity.grad().abs().sum().item_double());
  }

  @Test
  void noiseIsAFunctionOfSeedAndStep() {
    Map<String, Tensor> still = stereo(view(0), view(0));
    Tensor disparity = disparity(0.7);
    double first = PhotometricLoss.stereo().forward(inputs(disparity, still, 1)).item_double();
    assertEquals(0, first, 1e-5); // noise alone, of either sign
    assertEquals(
        first, PhotometricLoss.stereo().forward(inputs(disparity, still, 1)).item_double());
    assertNotEquals(
        first, PhotometricLoss.stereo().forward(inputs(disparity, still, 2)).item_double());
    assertNotEquals(
        first,
        new PhotometricLoss(1, true, 0.85, 0.1, 100, 9)
            .forward(inputs(disparity, still, 1))
            .item_double());
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Map<String, Tensor> inputs = stereo(view(0), view(1));
    inputs.put("cameras", Tensors.gaussian(1, 1, 3, 4));
    assertRefused(disparity(1), inputs, "cameras [1, 3, 4]");
    inputs = stereo(view(0), view(1));
    inputs.remove("poses.0");
    assertRefused(disparity(1), inputs, "poses.0");
    assertRefused(Tensors.gaussian(1, 1, 2, 4, 4), stereo(view(0), view(1)), "[1, 2, 4, 4]");
    Tensor row = Tensors.gaussian(1, 1, 1, 1, SIZE);
    assertRefused(row, stereo(row, row), "2 x 2 pixels");
    assertThrows(
        IllegalArgumentException.class, () -> new PhotometricLoss(0, true, 0.85, 0.1, 100, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new PhotometricLoss(1, true, 1.1, 0.1, 100, 0));
    assertThrows(IllegalArgumentException.class, () -> new PhotometricLoss(1, true, 0.85, 1, 1, 0));
  }

  private static void assertRefused(Tensor disparity, Map<String, Tensor> inputs, String word) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> PhotometricLoss.stereo().forward(inputs(disparity, inputs, 0)));
    assertTrue(e.getMessage().contains(word), e.getMessage());
  }
}
