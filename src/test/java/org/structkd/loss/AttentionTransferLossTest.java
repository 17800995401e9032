package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.loss.AttentionTransferLoss.Distance;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Attention maps of layers: what they depend on, and sums over layers. */
@InScope
class AttentionTransferLossTest {
  private static final AttentionTransferLoss LOSS = AttentionTransferLoss.standard();

  @Test
  void theScaleOfAnImageAndTheOrderOfChannelsDoNotMatter() {
    Tensor student = Tensors.gaussian(1, 3, 4, 5, 6);
    Tensor teacher = Tensors.gaussian(2, 3, 7, 5, 6);
    double value = LOSS.forward(student, teacher).item_double();
    Tensor scales = torch.arange(new Scalar(1), new Scalar(4)).view(3, 1, 1, 1);
    Tensor other = student.flip(1).neg().mul(scales);
    assertEquals(value, LOSS.forward(other, teacher).item_double(), 1e-15);
    assertEquals(0, LOSS.forward(other, student).item_double(), 1e-30);
    assertTrue(LOSS.forward(student.flip(2), teacher).item_double() != value);
  }

  /** One image, active at one position each: q are unit vectors along two axes. */
  @Test
  void activityElsewhereIsTheLargestLoss() {
    Tensor left = Tensor.create(new double[] {3, 0, 0, 0}, 1, 1, 2, 2);
    Tensor right = Tensor.create(new double[] {0, 0, 0, -5}, 1, 1, 2, 2);
    assertEquals(2.0 / 4, LOSS.forward(left, right).item_double(), 1e-15);
    assertEquals(
        Math.sqrt(2), AttentionTransferLoss.paper().forward(left, right).item_double(), 1e-15);
  }

  @Test
  void equalMapsAndImagesOfZerosHaveAFiniteGradient() {
    for (AttentionTransferLoss loss :
        new AttentionTransferLoss[] {LOSS, AttentionTransferLoss.paper()}) {
      for (Tensor map : new Tensor[] {Tensors.gaussian(1, 2, 3, 4, 4), torch.zeros(2, 3, 4, 4)}) {
        Tensor student = Tensors.leaf(map, ScalarType.Float);
        loss.forward(student, student.detach().clone()).backward();
        assertEquals(0, student.grad().abs().max().item_double());
      }
    }
  }

  private static LossInputs layers(Map<String, Tensor> student, Map<String, Tensor> teacher) {
    return new LossInputs(student, teacher, Map.of(), Map.of(), OptionalLong.empty(), 0, null);
  }

  @Test
  void layersAreAddedAndTheirPositionsCounted() {
    Tensor shallow = Tensors.gaussian(1, 2, 3, 8, 8);
    Tensor deep = Tensors.gaussian(2, 2, 5, 4, 4);
    Tensor shallowTeacher = Tensors.gaussian(3, 2, 4, 8, 8);
    Tensor deepTeacher = Tensors.gaussian(4, 2, 6, 4, 4);
    LossValue sum =
        LOSS.measure(
            layers(
                Map.of("features.0", shallow, "features.1", deep),
                Map.of("features.0", shallowTeacher, "features.1", deepTeacher)));
    assertEquals(
        LOSS.forward(shallow, shallowTeacher).item_double()
            + LOSS.forward(deep, deepTeacher).item_double(),
        sum.loss().item_double(),
        1e-15);
    assertEquals(2 * (64 + 16), sum.tookPart().item_long());
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Tensor map = Tensors.gaussian(1, 2, 3, 4, 4);
    assertEquals(
        "attention transfer loss: the student has 2 layers in the role \"features\" and the teacher"
            + " 1, expected as many",
        refusal(
            () ->
                LOSS.forward(
                    layers(
                        Map.of("features.0", map, "features.1", map), Map.of("features.0", map)))));
    Map<String, Tensor> gap = Map.of("features.0", map, "features.2", map);
    assertEquals(
        "student has no output \"features.1\", it has: features.0, features.2; did you mean"
            + " \"features.0\"?",
        refusal(() -> LOSS.forward(layers(gap, gap))));
    assertEquals(
        "student has no output \"features.0\", it has: map",
        refusal(() -> LOSS.forward(layers(Map.of("map", map), Map.of("map", map)))));
    assertTrue(
        refusal(() -> LOSS.forward(map, Tensors.gaussian(1, 2, 3, 8, 8)))
            .contains("differ in height and width"));
    Tensor pixel = Tensors.gaussian(1, 2, 3, 1, 1);
    assertTrue(refusal(() -> LOSS.forward(pixel, pixel)).contains("has one position"));
    assertTrue(refusal(() -> new AttentionTransferLoss(0.5, Distance.LENGTH)).contains("power is"));
  }
}
