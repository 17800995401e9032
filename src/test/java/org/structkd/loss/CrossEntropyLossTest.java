package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.Tensors;

/** Numbers worked out by hand: two classes, three pixels, one of them void. */
class CrossEntropyLossTest {
  private static LossInputs inputs(Tensor logits, long... labels) {
    return new LossInputs(
        Map.of("logits", logits),
        Map.of(),
        Map.of("labels", Tensor.create(labels)),
        Map.of(),
        OptionalLong.empty(),
        0,
        null);
  }

  @Test
  void aMeanOverThePixelsThatHaveAClass() {
    try (PointerScope scope = new PointerScope()) {
      double ln3 = Math.log(3);
      Tensor values = Tensor.create(new double[] {0, ln3, 0, 0, 9, -9}, 3, 2);
      Tensor logits = Tensors.leaf(values, ScalarType.Double);
      LossValue measured = CrossEntropyLoss.standard().measure(inputs(logits, 0, 1, 255));
      assertEquals((Math.log(4) + Math.log(2)) / 2, measured.loss().item_double(), 1e-15);
      assertEquals(2, measured.tookPart().item_long());
      measured.loss().backward();
      assertArrayEquals(
          new double[] {-0.375, 0.375, 0.25, -0.25, 0, 0}, Tensors.values(logits.grad()), 1e-15);
    }
  }

  @Test
  void withoutAClassItIsZero() {
    try (PointerScope scope = new PointerScope()) {
      Tensor logits = Tensors.leaf(Tensors.gaussian(1, 2, 3), ScalarType.Float);
      Tensor loss = CrossEntropyLoss.standard().forward(inputs(logits, 255, -1));
      assertEquals(0, loss.item_double());
      loss.backward();
      assertEquals(0, logits.grad().abs().sum().item_double());
    }
  }

  /** The sum over these pixels is 2 ln 2 times 2^16, beyond what f16 holds. */
  @Test
  void halfPrecisionIsSummedInF32() {
    try (PointerScope scope = new PointerScope()) {
      Tensor logits = torch.zeros(1 << 17, 2).to(ScalarType.Half);
      Tensor loss = CrossEntropyLoss.standard().forward(inputs(logits, new long[1 << 17]));
      assertEquals(ScalarType.Float, loss.scalar_type().intern());
      assertEquals(Math.log(2), loss.item_double(), 1e-5);
    }
  }
}
