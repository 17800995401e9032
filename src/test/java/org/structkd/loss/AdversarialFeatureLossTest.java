package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.LossUnderTest;
import org.structkd.testing.Tensors;

/** Who learns by what, and the weights of positions; golden files have the values. */
@InScope
class AdversarialFeatureLossTest {
  private static LossInputs inputs(int scales, Map<String, Tensor> targets, TrainedPart part) {
    Map<String, Tensor> student = new HashMap<>();
    Map<String, Tensor> teacher = new HashMap<>();
    for (int scale = 0; scale < scales; scale++) {
      long side = 8 >> scale;
      student.put("features." + scale, Tensors.gaussian(scale, 2, 3 + scale, side / 2, side));
      teacher.put("features." + scale, Tensors.gaussian(9 + scale, 2, 4 + scale, side, side));
    }
    return new LossInputs(student, teacher, targets, Map.of(), OptionalLong.empty(), 0, part);
  }

  private static TrainedPart.Opponent part(AdversarialFeatureLoss loss, LossInputs inputs) {
    TrainedPart.Opponent part = (TrainedPart.Opponent) loss.trainedPart(inputs, 5).orElseThrow();
    part.module().to(ScalarType.Double, false);
    return part;
  }

  private static boolean learns(Module module) {
    TensorVector parameters = module.parameters();
    boolean all = true;
    for (long i = 0; i < parameters.size(); i++) {
      Tensor gradient = parameters.get(i).grad();
      boolean isWeight = parameters.get(i).dim() > 1; // biases may balance student and teacher
      all &= gradient.defined() && (!isWeight || gradient.abs().sum().item_double() > 0);
    }
    return all;
  }

  private static boolean isUntouched(Module module) {
    TensorVector parameters = module.parameters();
    boolean none = true;
    for (long i = 0; i < parameters.size(); i++) {
      none &= !parameters.get(i).grad().defined();
    }
    return none;
  }

  @Test
  void connectorsLearnWithTheStudentAndDiscriminatorsAgainstIt() {
    AdversarialFeatureLoss loss = AdversarialFeatureLoss.standard();
    try (TrainedPart.Opponent part = part(loss, inputs(2, Map.of(), null))) {
      Module connectors = part.alongside().get("connectors.");
      Module discriminators = part.against().get("discriminators.");
      assertEquals(
          part.module().parameters().size(),
          connectors.parameters().size() + discriminators.parameters().size());
      part.objective(inputs(2, Map.of(), part)).backward();
      assertTrue(learns(discriminators));
      assertTrue(isUntouched(connectors));
      LossInputs leaves = LossUnderTest.leaves(inputs(2, Map.of(), part));
      loss.forward(leaves).backward();
      assertTrue(learns(connectors));
      LossUnderTest.gradients(leaves)
          .forEach((role, gradient) -> assertTrue(gradient.abs().sum().item_double() > 0, role));
    }
  }

  /** A discriminator that is trained alone tells the two apart: its hinge loss falls below 2. */
  @Test
  void discriminatorsLearnToTellStudentAndTeacherApart() {
    AdversarialFeatureLoss loss = AdversarialFeatureLoss.standard();
    LossInputs in = inputs(1, Map.of(), null);
    try (TrainedPart.Opponent part = part(loss, in)) {
      LossInputs step = inputs(1, Map.of(), part);
      double start = part.objective(step).item_double();
      TensorVector parameters = part.against().get("discriminators.").parameters();
      Adam optimizer = new Adam(parameters, new AdamOptions(0.01));
      for (int i = 0; i < 30; i++) {
        optimizer.zero_grad();
        part.objective(step).backward();
        optimizer.step();
      }
      double end = part.objective(step).item_double();
      assertTrue(end < 0.5 && end < start / 3, start + " to " + end);
    }
  }

  @Test
  void regionsWeightTheDistance() {
    AdversarialFeatureLoss weighted = new AdversarialFeatureLoss(1, 0, true);
    Tensor everywhere = torch.full(new long[] {2, 16, 16}, new Scalar(3.0));
    Tensor upper = torch.zeros(2, 16, 16).to(ScalarType.Double);
    upper.narrow(1, 0, 8).fill_(new Scalar(0.5));
    AdversarialFeatureLoss plain = new AdversarialFeatureLoss(1, 0, false);
    try (TrainedPart.Opponent part = part(plain, inputs(1, Map.of(), null))) {
      double expected = plain.forward(inputs(1, Map.of(), part)).item_double();
      LossInputs same = inputs(1, Map.of("regions", everywhere.to(ScalarType.Double)), part);
      assertEquals(expected, weighted.forward(same).item_double(), 1e-14);
      LossInputs half = inputs(1, Map.of("regions", upper), part);
      LossInputs changed = inputs(1, Map.of("regions", upper), part);
      changed.teacher("features.0").narrow(2, 4, 4).mul_(new Scalar(7));
      assertEquals(
          weighted.forward(half).item_double(), weighted.forward(changed).item_double(), 1e-14);
      LossInputs nothing = inputs(1, Map.of("regions", torch.zeros(2, 4, 4)), part);
      assertEquals(0, weighted.forward(nothing).item_double());
      LossInputs negative = inputs(1, Map.of("regions", torch.ones(2, 4, 4).neg()), part);
      assertThrows(IllegalArgumentException.class, () -> weighted.forward(negative));
      LossInputs flat = inputs(1, Map.of("regions", torch.ones(2, 16)), part);
      assertTrue(
          assertThrows(IllegalArgumentException.class, () -> weighted.forward(flat))
              .getMessage()
              .contains("expected [batch, height, width]"));
    }
  }

  @Test
  void impossibleSettingsAndForeignScalesAreRefused() {
    for (double[] weights : new double[][] {{0, 0}, {-1, 2}, {Double.NaN, 1}, {1, 1 / 0.0}}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new AdversarialFeatureLoss(weights[0], weights[1], false));
    }
    AdversarialFeatureLoss loss = AdversarialFeatureLoss.standard();
    LossInputs two = inputs(2, Map.of(), null);
    LossInputs uneven =
        new LossInputs(
            two.student(),
            Map.of("features.0", two.teacher("features.0")),
            Map.of(),
            Map.of(),
            OptionalLong.empty(),
            0,
            null);
    assertEquals(
        "adversarial feature loss: the student has 2 layers in the role \"features\" and the teacher"
            + " 1, expected as many",
        assertThrows(IllegalArgumentException.class, () -> loss.trainedPart(uneven, 5))
            .getMessage());
    assertThrows(IllegalArgumentException.class, () -> loss.forward(two));
    try (TrainedPart.Opponent part = part(loss, two)) {
      assertEquals(
          "adversarial feature loss: the channels of student and teacher are [3 to 4], but the"
              + " layers were made for [3 to 4, 4 to 5]",
          assertThrows(
                  IllegalArgumentException.class, () -> loss.forward(inputs(1, Map.of(), part)))
              .getMessage());
    }
  }
}
