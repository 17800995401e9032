package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** How attention moves between layers. */
@InScope
class PixelSimilarityLossTest {
  private static final PixelSimilarityLoss LOSS = PixelSimilarityLoss.cirkd();

  private static double value(List<Tensor> student, List<Tensor> teacher) {
    return LOSS.forward(student, teacher).item_double();
  }

  @Test
  void channelsAndScalesDoNotMatterButTheOrderOfLayersDoes() {
    Tensor shallow = Tensors.gaussian(1, 2, 3, 4, 5);
    Tensor deep = Tensors.gaussian(2, 2, 6, 4, 5);
    List<Tensor> teacher =
        List.of(Tensors.gaussian(3, 2, 4, 4, 5), Tensors.gaussian(4, 2, 2, 4, 5));
    double value = value(List.of(shallow, deep), teacher);
    List<Tensor> same = List.of(shallow.flip(1).mul(new Scalar(-3)), deep);
    assertEquals(value, value(same, teacher), 1e-15);
    assertEquals(0, value(same, List.of(shallow, deep)), 1e-30);
    // Turned around, each move points the other way: the largest distance, |2 r|^2 / N = 4 / N.
    assertEquals(4.0 / 20, value(List.of(deep, shallow), List.of(shallow, deep)), 1e-14);
  }

  /** Three layers have three pairs, and the loss is their mean. */
  @Test
  void pairsAreAveraged() {
    Tensor[] s = new Tensor[3];
    Tensor[] t = new Tensor[3];
    for (int i = 0; i < 3; i++) {
      s[i] = Tensors.gaussian(i, 2, 3, 4, 4);
      t[i] = Tensors.gaussian(10 + i, 2, 5, 4, 4);
    }
    double sum = 0;
    for (int[] pair : new int[][] {{0, 1}, {0, 2}, {1, 2}}) {
      sum += value(List.of(s[pair[0]], s[pair[1]]), List.of(t[pair[0]], t[pair[1]]));
    }
    assertEquals(sum / 3, value(List.of(s), List.of(t)), 1e-15);
  }

  @Test
  void attentionThatDoesNotMoveHasABoundedGradient() {
    Tensor map = Tensors.gaussian(1, 2, 3, 4, 4);
    Tensor one = Tensors.leaf(map, ScalarType.Double);
    Tensor same = Tensors.leaf(map, ScalarType.Double);
    List<Tensor> teacher =
        List.of(Tensors.gaussian(3, 2, 4, 4, 4), Tensors.gaussian(4, 2, 2, 4, 4));
    Tensor loss = LOSS.forward(List.of(one, same), teacher);
    assertEquals(1.0 / 16, loss.item_double(), 1e-15); // the teacher's moves alone
    loss.backward();
    assertEquals(0, one.grad().abs().max().item_double()); // F.normalize would give 1e12
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Tensor map = Tensors.gaussian(1, 2, 3, 4, 4);
    assertEquals(
        "pixel similarity loss: the student has 1 layer, expected 2 or more, between which attention"
            + " moves",
        refusal(() -> value(List.of(map), List.of(map))));
    assertEquals(
        "pixel similarity loss: the student has 2 layers in the role \"features\" and the teacher 3,"
            + " expected as many",
        refusal(() -> value(List.of(map, map), List.of(map, map, map))));
    Tensor small = Tensors.gaussian(1, 2, 3, 2, 2);
    assertEquals(
        "pixel similarity loss: layers 0 and 1 of the student have [2, 16] and [2, 4] images and"
            + " positions, expected layers of one size",
        refusal(() -> value(List.of(map, small), List.of(map, small))));
    Tensor pixel = torch.ones(2, 3, 1, 1);
    assertTrue(
        refusal(() -> value(List.of(pixel, pixel), List.of(pixel, pixel)))
            .contains("has one position"));
  }
}
