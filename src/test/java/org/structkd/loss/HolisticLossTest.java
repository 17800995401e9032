package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.loss.HolisticLoss.Game;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** The discriminator against values of SKD's released code, and what both players learn by. */
@InScope
class HolisticLossTest {
  /** Parameters of the released discriminator in their order, by the names that they have here. */
  private static final List<String> RELEASED_ORDER =
      List.of(
          "block4.bias",
          "block4_u",
          "block4_v",
          "block4.weight", //
          "block1.bias",
          "block1_u",
          "block1_v",
          "block1.weight", //
          "block2.bias",
          "block2_u",
          "block2_v",
          "block2.weight", //
          "block3.bias",
          "block3_u",
          "block3_v",
          "block3.weight", //
          "last.weight",
          "last.bias", //
          "attention3_gamma",
          "attention3_query.weight",
          "attention3_query.bias", //
          "attention3_key.weight",
          "attention3_key.bias", //
          "attention3_value.weight",
          "attention3_value.bias", //
          "attention4_gamma",
          "attention4_query.weight",
          "attention4_query.bias", //
          "attention4_key.weight",
          "attention4_key.bias", //
          "attention4_value.weight",
          "attention4_value.bias", //
          "scale",
          "shift");

  /** The discriminator with the weights of the stored case, in f64. */
  private static Discriminator released() {
    Discriminator net = new Discriminator(19, 4);
    Module module = net.module();
    module.to(ScalarType.Double, false);
    try (NoGradGuard noGrad = new NoGradGuard()) {
      for (int k = 0; k < RELEASED_ORDER.size(); k++) {
        fill(named(module, RELEASED_ORDER.get(k)), RELEASED_ORDER.get(k), k);
      }
    }
    return net;
  }

  private static Tensor named(Module module, String name) {
    return name.matches(".*_[uv]")
        ? module.named_buffers().get(name)
        : module.named_parameters().get(name);
  }

  private static void fill(Tensor tensor, String name, long k) {
    double amplitude = name.equals("last.weight") ? 20 : 0.1;
    double[] values = new double[(int) tensor.numel()];
    for (int i = 0; i < values.length; i++) {
      long state = (i * 1103515245L + 12345 + 7919 * k) & 0x7fffffff;
      values[i] = amplitude * (2 * (state / 2147483648.0) - 1);
    }
    Tensor value = Tensor.create(values, tensor.shape());
    if (name.matches(".*_[uv]")) {
      value = value.div(value.norm());
    } else if (name.endsWith("gamma")) {
      value = value.mul(new Scalar(0)).add(new Scalar(0.5));
    } else if (name.equals("scale")) {
      value = value.mul(new Scalar(0)).add(new Scalar(10));
    } else if (name.equals("shift")) {
      value = value.mul(new Scalar(0));
    }
    tensor.copy_(value);
  }

  @Test
  void theReleasedCodeJudgesAndPenalizesTheSame() {
    Tensor student = Tensors.leaf(Tensors.sine(1, 0.713, 0.2, 0, 2, 19, 65, 65), ScalarType.Double);
    Tensor teacher = Tensors.sine(1.5, 1.317, 0.9, 0, 2, 19, 65, 65);
    Discriminator net = released();
    double[] ofTeacher = Tensors.values(net.forward(teacher, true));
    assertEquals(-12.101399062911847, ofTeacher[0], 1e-9);
    assertEquals(-11.919486892736893, ofTeacher[1], 1e-9);
    Tensor ofStudent = net.forward(student, false);
    Tensor loss = ofStudent.mean().neg();
    assertEquals(15.206916308607726, loss.item_double(), 1e-9);
    loss.backward();
    double[] gradient = Tensors.values(student.grad());
    double magnitude = 0;
    for (double value : gradient) {
      magnitude += Math.abs(value);
    }
    assertEquals(37.64607122757534, magnitude, 1e-8);
    assertEquals(2.2344931396500196e-06, gradient[0], 1e-14);
    assertEquals(0.00010955747337216881, gradient[6], 1e-13);
    Tensor alphas = Tensor.create(new double[] {0.25, 0.75}, 2, 1, 1, 1);
    Tensor penalty = HolisticLoss.penalty(net, teacher, student.detach(), alphas);
    assertEquals(6.87224373889257, penalty.mul(new Scalar(10)).item_double(), 1e-8);
  }

  /** The true second derivative: the penalty's gradient by a weight against a difference. */
  @Test
  void thePenaltyIsDifferentiatedTwice() {
    Tensor real = Tensors.gaussian(1, 2, 3, 32, 32);
    Tensor fake = Tensors.gaussian(2, 2, 3, 32, 32);
    Discriminator net = new Discriminator(3, 3);
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
    return HolisticLoss.penalty(
        net, real, fake, Tensor.create(new double[] {0.3, 0.6}, 2, 1, 1, 1));
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
    Discriminator net = new Discriminator(3, 3);
    try (NoGradGuard noGrad = new NoGradGuard()) {
      net.module().named_parameters().get("last.weight").zero_();
    }
    Tensor penalty = HolisticLoss.penalty(net, flat, flat, torch.zeros(2, 1, 1, 1));
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
