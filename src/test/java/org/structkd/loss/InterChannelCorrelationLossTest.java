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
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Correlations of channels: what they depend on, divisors, and the connector. */
@InScope
class InterChannelCorrelationLossTest {
  private static final InterChannelCorrelationLoss LOSS = InterChannelCorrelationLoss.standard();

  @Test
  void whereChannelsAreActiveDoesNotMatterButWhichTogether() {
    Tensor student = Tensors.gaussian(1, 2, 4, 5, 6);
    Tensor teacher = Tensors.gaussian(2, 2, 4, 3, 3);
    double value = LOSS.forward(student, teacher).item_double();
    assertEquals(value, LOSS.forward(student.flip(2, 3), teacher).item_double(), 1e-14);
    assertEquals(value, LOSS.forward(student.mul(new Scalar(-3)), teacher).item_double(), 1e-14);
    assertEquals(value, LOSS.forward(student.flip(1), teacher.flip(1)).item_double(), 1e-14);
    assertTrue(Math.abs(value - LOSS.forward(student.flip(1), teacher).item_double()) > 1e-3);
  }

  @Test
  void divisorsDifferByImagesAndChannels() {
    Tensor student = Tensors.gaussian(1, 3, 4, 5, 6);
    Tensor teacher = Tensors.gaussian(2, 3, 4, 5, 6);
    double value = LOSS.forward(student, teacher).item_double();
    assertEquals(
        value / 3,
        InterChannelCorrelationLoss.torchdistill().forward(student, teacher).item_double(),
        1e-15);
    InterChannelCorrelationLoss pairs =
        new InterChannelCorrelationLoss(true, InterChannelCorrelationLoss.Divisor.PAIRS, false);
    assertEquals(value / 4, pairs.forward(student, teacher).item_double(), 1e-15);
  }

  /** Channels a and b of two positions; the products of the publication by hand. */
  @Test
  void thePublicationComparesPlainProducts() {
    Tensor student = Tensor.create(new double[] {1, 2, 3, 4}, 1, 2, 2, 1);
    Tensor teacher = Tensor.create(new double[] {1, 0, 0, 1}, 1, 2, 2, 1);
    double expected = (16 + 121 + 121 + 576) / 4.0; // (5 11; 11 25) - (1 0; 0 1)
    assertEquals(
        expected, InterChannelCorrelationLoss.paper().forward(student, teacher).item_double(), 0);
  }

  @Test
  void aSilentChannelHasABoundedGradient() {
    Tensor map = Tensors.gaussian(1, 2, 3, 4, 4);
    map.select(1, 1).fill_(new Scalar(0));
    Tensor student = Tensors.leaf(map, ScalarType.Float);
    LOSS.forward(student, torch.ones(2, 3, 4, 4)).backward();
    assertTrue(student.grad().abs().max().item_double() < 1); // F.normalize would give 1e12
  }

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

  @Test
  void theReleasedConnectorBringsOtherChannelsAndLearns() {
    InterChannelCorrelationLoss released = InterChannelCorrelationLoss.released();
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 4, 4), ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 5, 5).to(ScalarType.Float);
    try (TrainedPart part = released.trainedPart(inputs(student, teacher, null), 7).orElseThrow()) {
      released.forward(inputs(student, teacher, part)).backward();
      Tensor weight = part.module().named_parameters().get("convolution.weight");
      assertTrue(weight.grad().abs().sum().item_double() > 0);
      assertTrue(student.grad().abs().sum().item_double() > 0);
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    Tensor student = Tensors.gaussian(1, 2, 3, 4, 4);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 4, 4);
    assertTrue(
        refusal(() -> LOSS.forward(student, teacher)).contains("differ in number of channels"));
    assertTrue(
        refusal(
                () ->
                    InterChannelCorrelationLoss.released().forward(inputs(student, teacher, null)))
            .contains("it has no connector"));
    Tensor one = Tensors.gaussian(1, 2, 1, 4, 4);
    assertTrue(refusal(() -> LOSS.forward(one, one)).contains("has one channel"));
  }
}
