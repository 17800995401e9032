package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Hints: the connector, sizes, and what does not fit. */
@InScope
class HintLossTest {
  private static final HintLoss CONNECTED = HintLoss.cirkd();
  private static final HintLoss LOSS = HintLoss.withoutConnector();

  private static LossInputs inputs(Tensor student, Tensor teacher, TrainedPart part) {
    return new LossInputs(
        Map.of("features", student),
        Map.of("features", teacher),
        Map.of(),
        Map.of(),
        OptionalLong.empty(),
        0,
        part);
  }

  /** CIRKD's layer, whose weights are known, by hand. */
  @Test
  void theConnectorIsAConvolutionWithoutBiasThatLearns() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 4, 5), ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 2, 7, 4, 5).to(ScalarType.Float);
    try (TrainedPart part =
        CONNECTED.trainedPart(inputs(student, teacher, null), 7).orElseThrow()) {
      assertEquals(1, part.module().parameters().size());
      Tensor weight = part.module().named_parameters().get("convolution.weight");
      try (NoGradGuard noGrad = new NoGradGuard()) {
        weight.copy_(Tensors.gaussian(3, 7, 3, 1, 1));
      }
      LossValue value = CONNECTED.measure(inputs(student, teacher, part));
      Tensor byHand =
          torch
              .matmul(weight.detach().view(1, 7, 3), student.detach().flatten(2, 3))
              .sub(teacher.flatten(2, 3));
      assertEquals(byHand.square().mean().item_double(), value.loss().item_double(), 1e-5);
      assertEquals(2 * 4 * 5, value.tookPart().item_long());
      value.loss().backward();
      assertTrue(weight.grad().abs().sum().item_double() > 0);
      assertTrue(student.grad().abs().sum().item_double() > 0);
    }
    assertTrue(LOSS.trainedPart(inputs(student, teacher, null), 7).isEmpty());
  }

  @Test
  void equalSeedsGiveEqualWeights() {
    LossInputs in = inputs(Tensors.gaussian(1, 2, 3), Tensors.gaussian(2, 2, 4), null);
    try (TrainedPart one = CONNECTED.trainedPart(in, 7).orElseThrow();
        TrainedPart same = CONNECTED.trainedPart(in, 7).orElseThrow();
        TrainedPart other = CONNECTED.trainedPart(in, 8).orElseThrow()) {
      Tensor weights = one.module().parameters().get(0);
      assertTrue(torch.equal(weights, same.module().parameters().get(0)));
      assertTrue(!torch.equal(weights, other.module().parameters().get(0)));
    }
  }

  /** A constant map is the same at any size. */
  @Test
  void aMapOfAnotherSizeIsResized() {
    Tensor student = torch.full(new long[] {1, 2, 3, 4}, new Scalar(2.0));
    Tensor teacher = torch.full(new long[] {1, 2, 7, 5}, new Scalar(5.0));
    assertEquals(9, LOSS.forward(student, teacher).item_double(), 1e-6);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Tensor map = Tensors.gaussian(1, 2, 3, 4, 4);
    assertTrue(
        refusal(() -> LOSS.forward(map, Tensors.gaussian(2, 2, 5, 4, 4)))
            .contains("differ in number of channels"));
    assertTrue(
        refusal(() -> LOSS.forward(Tensors.gaussian(1, 2, 6, 3), Tensors.gaussian(1, 2, 7, 3)))
            .contains("differ in number of positions"));
    assertEquals(
        "hint loss: it has no connector: make one by trainedPart(), or set connector to false",
        refusal(() -> CONNECTED.forward(inputs(map, map, null))));
    try (TrainedPart part = CONNECTED.trainedPart(inputs(map, map, null), 7).orElseThrow()) {
      Tensor wider = Tensors.gaussian(2, 2, 5, 4, 4);
      assertTrue(
          refusal(() -> CONNECTED.forward(inputs(wider, map, part)))
              .contains("student [2, 5, 4, 4] has 5 channels, but the connector was made for 3"));
      assertTrue(
          refusal(() -> CONNECTED.forward(inputs(map, wider, part)))
              .contains("differ in number of channels"));
    }
  }
}
