package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** What both players learn by; golden files have the released code's numbers. */
@InScope
class HolisticLossTest {
  /** The true second derivative: the penalty's gradient by a weight against a difference. */
  @Test
  void thePenaltyIsDifferentiatedTwice() {
    Tensor real = Tensors.gaussian(1, 2, 3, 32, 32);
    Tensor fake = Tensors.gaussian(2, 2, 3, 32, 32);
    Discriminator net = new Discriminator(3, 3, 5);
    net.module().to(ScalarType.Double, false);
    Tensor scale = net.module().named_parameters().get("scale");
    penaltyFromTheStart(net, real, fake).backward();
    double expected = scale.grad().select(0, 1).item_double();
    double step = 1e-7; // so short that no neuron crosses the kink of its leaky ReLU
    double[] values = new double[2];
    for (int side = 0; side < 2; side++) {
      try (NoGradGuard noGrad = new NoGradGuard()) {
        scale.select(0, 1).add_(new Scalar(side == 0 ? -step : 2 * step));
      }
      values[side] = penaltyFromTheStart(net, real, fake).item_double();
    }
    assertEquals(1, (values[1] - values[0]) / (2 * step) / expected, 1e-5);
  }

  /** Each forward moves the vectors of the power iteration; here they begin anew. */
  private static Tensor penaltyFromTheStart(Discriminator net, Tensor real, Tensor fake) {
    for (int block = 1; block <= 3; block++) {
      Tensor left = net.module().named_buffers().get("block" + block + "_u");
      left.copy_(torch.ones_like(left).div(new Scalar(Math.sqrt(left.numel()))));
    }
    return net.penalty(real, fake, Tensor.create(new double[] {0.3, 0.6}, 2, 1, 1, 1));
  }

  private static LossInputs inputs(Tensor student, Tensor teacher, TrainedPart part) {
    return new LossInputs(
        Map.of("logits", student),
        Map.of("logits", teacher),
        Map.of(),
        Map.of("images", Tensors.gaussian(9, 2, 1, 48, 48).to(ScalarType.Float)),
        OptionalLong.empty(),
        3,
        part);
  }

  private static Tensor map(long seed, long side) {
    return Tensors.gaussian(seed, 2, 3, side, side).to(ScalarType.Float);
  }

  @ParameterizedTest
  @EnumSource(Game.class)
  void eachPlayerLearnsByItsOwnLossAlone(Game game) {
    for (boolean conditioned : new boolean[] {false, true}) {
      HolisticLoss loss = new HolisticLoss(game, 10, conditioned);
      Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 32, 32), ScalarType.Float);
      LossInputs dryRun = inputs(student, map(2, 48), null);
      try (TrainedPart.Opponent part =
          (TrainedPart.Opponent) loss.trainedPart(dryRun, 5).orElseThrow()) {
        LossInputs step = inputs(student, dryRun.teacher("logits"), part);
        loss.forward(step).backward();
        assertTrue(student.grad().abs().sum().item_double() > 0);
        Tensor last = part.module().named_parameters().get("last.weight");
        assertTrue(last.grad().isNull() || !last.grad().defined());
        student.mutable_grad().zero_();
        Tensor own = part.objective(step);
        own.backward();
        assertEquals(0, student.grad().abs().sum().item_double());
        assertTrue(last.grad().abs().sum().item_double() > 0);
      }
    }
  }

  @Test
  void drawsOfThePenaltyFollowSeedAndStep() {
    LossInputs dryRun = inputs(map(1, 32), map(2, 32), null);
    double[] values = new double[2];
    for (int i = 0; i < values.length; i++) {
      try (TrainedPart.Opponent part =
          (TrainedPart.Opponent) HolisticLoss.skdReleased().trainedPart(dryRun, 5).orElseThrow()) {
        values[i] = part.objective(inputs(map(1, 32), map(2, 32), part)).item_double();
      }
    }
    assertEquals(values[0], values[1]);
  }

  @Test
  void equalGradientsOfZeroLengthAreNoNan() {
    Tensor flat = torch.zeros(2, 3, 32, 32);
    Discriminator net = new Discriminator(3, 3, 5);
    try (NoGradGuard noGrad = new NoGradGuard()) {
      net.module().named_parameters().get("last.weight").zero_();
    }
    Tensor penalty = net.penalty(flat, flat, torch.zeros(2, 1, 1, 1));
    assertEquals(1, penalty.item_double(), 1e-6);
    penalty.backward();
    Tensor scale = net.module().named_parameters().get("scale").grad();
    assertTrue(scale.isfinite().all().item_bool());
  }

  @ParameterizedTest
  @ValueSource(longs = {32, 63, 64, 65})
  void mapsFrom32UpHaveADiscriminator(long side) {
    LossInputs dryRun = inputs(map(1, side), map(2, side), null);
    try (TrainedPart part = HolisticLoss.cirkd().trainedPart(dryRun, 5).orElseThrow()) {
      assertEquals(side >= 64, part.module().named_parameters().contains("block4.weight"));
    }
  }

  @Test
  void aDiscriminatorHasThreeBlocksOrFour() {
    for (int blocks : new int[] {2, 5}) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> new Discriminator(3, blocks, 5));
      assertTrue(e.getMessage().contains("blocks is " + blocks), e.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> new Discriminator(0, 3, 5));
  }

  @Test
  void mapsBelow32AreRefused() {
    LossInputs dryRun = inputs(map(1, 31), map(2, 31), null);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> HolisticLoss.cirkd().trainedPart(dryRun, 5));
    assertTrue(e.getMessage().contains("31 x 31, expected 32 x 32 or more"), e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> HolisticLoss.cirkd().forward(dryRun));
    assertNull(dryRun.part());
  }
}
