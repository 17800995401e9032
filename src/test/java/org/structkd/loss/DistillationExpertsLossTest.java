package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Experts that learn beside a student. */
@InScope
class DistillationExpertsLossTest {
  private static LossInputs inputs(
      Map<String, Tensor> student,
      Map<String, Tensor> teacher,
      Map<String, Tensor> batch,
      long step,
      TrainedPart part) {
    return new LossInputs(student, teacher, Map.of(), batch, OptionalLong.empty(), step, part);
  }

  private static LossInputs lists(long step, TrainedPart part, Tensor student, Tensor teacher) {
    return inputs(
        Map.of("embedding.0", student), Map.of("embedding.0", teacher), Map.of(), step, part);
  }

  private static Tensor parameter(TrainedPart part, String name) {
    return part.module().named_parameters().get(name);
  }

  @Test
  void oneExpertIsARegression() {
    DistillationExpertsLoss loss = new DistillationExpertsLoss(1, 1, 0.1, 10);
    Tensor student = Tensors.gaussian(1, 4, 3).to(ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 4, 5).to(ScalarType.Float);
    try (TrainedPart part = loss.trainedPart(lists(0, null, student, teacher), 3).orElseThrow()) {
      Tensor hidden =
          torch.relu(
              student
                  .mm(parameter(part, "first_weight").select(0, 0))
                  .add(parameter(part, "first_bias").select(0, 0)));
      assertEquals(4, hidden.size(1)); // half of 3 + 5
      Tensor guess =
          hidden
              .mm(parameter(part, "second_weight").select(0, 0))
              .add(parameter(part, "second_bias").select(0, 0));
      double expected = teacher.sub(guess).square().sum().item_double();
      double value = loss.forward(lists(7, part, student, teacher)).item_double();
      assertEquals(expected, value, 1e-5 * expected);
    }
  }

  @Test
  void coldGatesPickOneExpertAndTheWholeLearns() {
    DistillationExpertsLoss loss = DistillationExpertsLoss.released();
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 6, 4), ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 6, 8).to(ScalarType.Float);
    try (TrainedPart part = loss.trainedPart(lists(0, null, student, teacher), 3).orElseThrow()) {
      Tensor cold = loss.forward(lists(1_000_000, part, student, teacher));
      assertTrue(Double.isFinite(cold.item_double()));
      loss.forward(lists(0, part, student, teacher)).backward();
      assertTrue(student.grad().abs().sum().item_double() > 0);
      for (String name : new String[] {"gate_weight", "first_weight", "second_bias"}) {
        assertTrue(parameter(part, name).grad().abs().sum().item_double() > 0, name);
      }
    }
  }

  @Test
  void noiseIsAFunctionOfSeedAndStep() {
    DistillationExpertsLoss loss = DistillationExpertsLoss.released();
    Tensor student = Tensors.gaussian(1, 6, 4).to(ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 6, 8).to(ScalarType.Float);
    LossInputs dry = lists(0, null, student, teacher);
    try (TrainedPart one = loss.trainedPart(dry, 3).orElseThrow();
        TrainedPart same = loss.trainedPart(dry, 3).orElseThrow()) {
      double first = loss.forward(lists(5, one, student, teacher)).item_double();
      assertEquals(first, loss.forward(lists(5, same, student, teacher)).item_double());
      assertTrue(first != loss.forward(lists(6, one, student, teacher)).item_double());
    }
  }

  private static Tensor floats(long seed, long rows, long columns) {
    return Tensors.gaussian(seed, rows, columns).to(ScalarType.Float);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    DistillationExpertsLoss experts = DistillationExpertsLoss.released();
    Tensor student = floats(1, 3, 4);
    assertThrows(
        IllegalArgumentException.class, () -> experts.forward(lists(0, null, student, student)));
    try (TrainedPart part =
        experts.trainedPart(lists(0, null, student, student), 0).orElseThrow()) {
      Tensor wide = floats(1, 3, 5);
      assertThrows(
          IllegalArgumentException.class, () -> experts.forward(lists(0, part, wide, student)));
    }
    assertThrows(IllegalArgumentException.class, () -> new DistillationExpertsLoss(0, 1, 1, 1));
    assertThrows(IllegalArgumentException.class, () -> new DistillationExpertsLoss(1, 0, 1, 1));
  }
}
