package org.structkd.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.structkd.model.SegmentationNet;
import org.structkd.model.StateDict;
import org.structkd.testing.InScope;

/** Sizes of the smallest net, counted by hand. */
@InScope
class NetworkSizeTest {
  @Test
  void sizesAreThoseCountedByHand() {
    try (SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 1, 2), 1);
        NoGradGuard noGrad = new NoGradGuard()) {
      // Filters of half, quarter, skip, eighth, bottom, decoder, and the head's.
      long weights = 9 + 2 * 9 + 4 * 9 + 8 * 9 + 16 * 9 + 12 * 9 + 4;
      long rows = 1 + 2 + 2 + 4 + 4 + 2 + 2;
      long scales = 15; // of the norms, as many shifts, means and variances
      long parameters = weights + 2 * scales + 2; // and the head's biases
      long values = parameters + 2 * scales;
      Map<String, Tensor> own = StateDict.parametersOf(net.module());
      own.values().forEach(weight -> weight.fill_(new Scalar(1)));
      assertEquals(
          new NetworkSize(
              parameters,
              parameters,
              4 * values,
              4 * values, // rows of numbers and columns would be longer
              weights + 4 * rows + 4 * (values - weights)),
          NetworkSize.of(net.module()));
      // Of four filters of 36 numbers one is left: values, columns, and five starts of rows.
      own.get("bottom_conv.weight").narrow(0, 1, 3).fill_(new Scalar(0));
      assertEquals(
          new NetworkSize(
              parameters,
              parameters - 3 * 36,
              4 * values,
              4 * values - 4 * 144 + 4 * 36 + 4 * 36 + 4 * 5,
              weights + 4 * rows + 4 * (values - weights)),
          NetworkSize.of(net.module()));
    }
  }
}
