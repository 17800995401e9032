package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
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

/** Steps of disparity by hand, where the image has an edge and where not. */
@InScope
class EdgeAwareSmoothnessLossTest {
  private static Tensor row(double... values) {
    return Tensor.create(values, 1, 1, 1, values.length);
  }

  private static double value(EdgeAwareSmoothnessLoss loss, Tensor images, Tensor... scales) {
    Map<String, Tensor> student = new HashMap<>();
    for (int scale = 0; scale < scales.length; scale++) {
      student.put("disparity." + scale, scales[scale]);
    }
    return loss.forward(
            new LossInputs(
                student,
                Map.of(),
                Map.of(),
                Map.of("images", images),
                OptionalLong.empty(),
                0,
                null))
        .item_double();
  }

  @Test
  void anEdgeOfTheImageExcusesAStep() {
    EdgeAwareSmoothnessLoss plain = EdgeAwareSmoothnessLoss.monodepth();
    Tensor step = row(1, 1, 3);
    assertEquals(2 / 2.0, value(plain, row(5, 5, 5), step), 1e-15);
    assertEquals(2 * Math.exp(-4) / 2, value(plain, row(5, 5, 9), step), 1e-15);
    assertEquals(1, value(plain, row(9, 5, 5), step), 1e-15);
  }

  @Test
  void normalizedItDoesNotDependOnTheScaleOfDisparity() {
    Tensor images = Tensors.gaussian(1, 2, 3, 6, 5);
    Tensor d = Tensors.gaussian(2, 2, 1, 6, 5).exp();
    Tensor larger = d.mul(new Scalar(7));
    EdgeAwareSmoothnessLoss loss = EdgeAwareSmoothnessLoss.monodepth2();
    assertEquals(value(loss, images, d), value(loss, images, larger), 1e-6);
    EdgeAwareSmoothnessLoss plain = EdgeAwareSmoothnessLoss.monodepth();
    assertEquals(7 * value(plain, images, d), value(plain, images, larger), 1e-12);
  }

  @Test
  void aScaleOfHalfTheSizeWeighsHalf() {
    EdgeAwareSmoothnessLoss plain = EdgeAwareSmoothnessLoss.monodepth();
    Tensor images = torch.ones(1, 1, 4, 4).to(ScalarType.Double);
    Tensor d = Tensors.gaussian(3, 1, 1, 2, 2);
    Tensor flat = torch.ones(1, 1, 4, 4).to(ScalarType.Double);
    assertEquals(value(plain, images, d) / 4, value(plain, images, flat, d), 1e-15);
  }

  @Test
  void onePixelIsRefused() {
    Tensor images = Tensors.gaussian(1, 1, 3, 4, 4);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> value(EdgeAwareSmoothnessLoss.monodepth2(), images, row(1)));
    assertTrue(e.getMessage().contains("one pixel"), e.getMessage());
    Tensor other = Tensors.gaussian(1, 2, 1, 4, 4);
    assertThrows(
        IllegalArgumentException.class,
        () -> value(EdgeAwareSmoothnessLoss.monodepth2(), images, other));
  }
}
