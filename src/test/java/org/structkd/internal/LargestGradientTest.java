package org.structkd.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class LargestGradientTest {
  private static Tensor withGradient(Tensor gradient) {
    Tensor parameter = torch.zeros(gradient.shape()).to(gradient.scalar_type());
    parameter.set_requires_grad(true);
    parameter.mutable_grad().put(gradient);
    return parameter;
  }

  private static double largest(Tensor... gradients) {
    TensorVector parameters = new TensorVector();
    for (Tensor gradient : gradients) {
      parameters.push_back(withGradient(gradient));
    }
    parameters.push_back(Tensors.leaf(torch.ones(2), ScalarType.Float)); // without a gradient
    return NativeCall.of(() -> NativeOps.largestGradient(parameters));
  }

  @Test
  void isTheLargestMagnitudeInUnitsOfWhatCanBeSquared() {
    Tensor gradient = Tensors.gaussian(1, 3, 7);
    gradient.select(0, 1).select(0, 4).fill_(new Scalar(-9.0));
    assertEquals(9 / Math.sqrt(Double.MAX_VALUE), largest(gradient), 1e-160);
    assertEquals(9 / Math.sqrt(Float.MAX_VALUE), largest(gradient.to(ScalarType.Float)), 1e-25);
    assertEquals(9 / Math.sqrt(Float.MAX_VALUE), largest(gradient.to(ScalarType.BFloat16)), 1e-21);
    assertEquals(9 / Math.sqrt(65504), largest(gradient.to(ScalarType.Half)), 1e-15);
    assertEquals(0, largest());
  }

  @Test
  void theParameterThatIsNearestToOverflowCounts() {
    Tensor fine = torch.ones(5);
    assertTrue(largest(fine, fine.mul(new Scalar(1e18))) < 1);
    assertTrue(largest(fine, fine.mul(new Scalar(2e19)), fine) > 1);
    assertTrue(largest(fine.mul(new Scalar(300.0)).to(ScalarType.Half), fine) > 1);
    assertEquals(Double.POSITIVE_INFINITY, largest(fine.div(new Scalar(0.0)).neg(), fine));
  }

  @Test
  void nanAnywhereIsSeen() {
    for (ScalarType dtype :
        new ScalarType[] {
          ScalarType.Half, ScalarType.BFloat16, ScalarType.Float, ScalarType.Double
        }) {
      for (int place = 0; place < 37; place += 9) {
        Tensor gradient = torch.ones(37).to(dtype);
        gradient.narrow(0, place, 1).fill_(new Scalar(Double.NaN));
        gradient.narrow(0, 36 - place, 1).fill_(new Scalar(Double.NEGATIVE_INFINITY));
        gradient.narrow(0, place, 1).fill_(new Scalar(Double.NaN));
        assertTrue(Double.isNaN(largest(torch.ones(2), gradient, torch.ones(3))), dtype + "");
      }
    }
  }

  @Test
  void stridedAndTransposedGradientsAreReadWhole() {
    Tensor wide = torch.zeros(4, 6);
    wide.select(1, 3).fill_(new Scalar(5.0)); // not in the view
    Tensor view = wide.narrow(1, 4, 2);
    view.select(0, 3).fill_(new Scalar(-2.0));
    assertEquals(2 / Math.sqrt(Float.MAX_VALUE), largest(view), 1e-25);
    assertEquals(2 / Math.sqrt(Float.MAX_VALUE), largest(view.t()), 1e-25);
  }
}
