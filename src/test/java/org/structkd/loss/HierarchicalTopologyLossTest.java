package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Groups that learn beside a student, and cosines within and across them. */
@InScope
class HierarchicalTopologyLossTest {
  private static LossInputs inputs(
      Map<String, Tensor> student,
      Map<String, Tensor> teacher,
      Map<String, Tensor> batch,
      long step,
      TrainedPart part) {
    return new LossInputs(student, teacher, Map.of(), batch, OptionalLong.empty(), step, part);
  }

  private static LossInputs sides(
      Tensor users, Tensor items, Tensor ofUsers, Tensor ofItems, Map<String, Tensor> batch) {
    return inputs(
        Map.of("user_embedding", users, "item_embedding", items),
        Map.of("user_embedding", ofUsers, "item_embedding", ofItems),
        batch,
        0,
        null);
  }

  private static LossInputs with(LossInputs in, TrainedPart part) {
    return inputs(in.student(), in.teacher(), in.inputs(), in.step(), part);
  }

  private static double[] valueAndGradient(HierarchicalTopologyLoss loss, LossInputs in) {
    try (TrainedPart part = loss.trainedPart(in, 3).orElseThrow()) {
      Tensor users = Tensors.leaf(in.student("user_embedding"), ScalarType.Float);
      Map<String, Tensor> student = new HashMap<>(in.student());
      student.put("user_embedding", users);
      Tensor value = loss.forward(inputs(student, in.teacher(), in.inputs(), in.step(), part));
      value.backward();
      return new double[] {value.item_double(), users.grad().abs().sum().item_double()};
    }
  }

  private static Tensor floats(long seed, long rows, long columns) {
    return Tensors.gaussian(seed, rows, columns).to(ScalarType.Float);
  }

  @Test
  void equalTopologyCostsNothingHoweverTheStudentIsTurnedAndScaled() {
    HierarchicalTopologyLoss loss = new HierarchicalTopologyLoss(2, 1, 0.1, false);
    Tensor users = floats(1, 5, 4);
    Tensor items = floats(2, 6, 4);
    LossInputs same =
        sides(
            users.flip(1).mul(new Scalar(3)),
            items.flip(1).mul(new Scalar(3)),
            users,
            items,
            Map.of());
    assertEquals(0, valueAndGradient(loss, same)[0], 1e-10);
    LossInputs other = sides(floats(3, 5, 4), floats(4, 6, 4), users, items, Map.of());
    double[] found = valueAndGradient(loss, other);
    assertTrue(found[0] > 0.1 && found[1] > 0.01, found[0] + ", " + found[1]);
  }

  @Test
  void whoComesTwiceCountsOnce() {
    HierarchicalTopologyLoss unique = new HierarchicalTopologyLoss(3, 0.5, 0.1, true);
    HierarchicalTopologyLoss given = new HierarchicalTopologyLoss(3, 0.5, 0.1, false);
    Tensor users = floats(1, 3, 4);
    Tensor items = floats(2, 3, 4);
    Tensor ofUsers = floats(3, 3, 6);
    Tensor ofItems = floats(4, 3, 6);
    Map<String, Tensor> names =
        Map.of(
            "users",
            Tensor.create(new long[] {8, 5, 8}),
            "items",
            Tensor.create(new long[] {1, 2, 3}));
    LossInputs twice = sides(users, items, ofUsers, ofItems, names);
    LossInputs once =
        sides(users.narrow(0, 0, 2), items, ofUsers.narrow(0, 0, 2), ofItems, Map.of());
    assertEquals(valueAndGradient(given, once)[0], valueAndGradient(unique, twice)[0], 1e-4);
  }

  @Test
  void rowsOfZerosAreFinite() {
    HierarchicalTopologyLoss loss = new HierarchicalTopologyLoss(2, 0.5, 0.1, false);
    Tensor users = torch.zeros(3, 4);
    LossInputs in = sides(users, floats(2, 3, 4), floats(3, 3, 6), floats(4, 3, 6), Map.of());
    double[] found = valueAndGradient(loss, in);
    assertTrue(Double.isFinite(found[0]) && Double.isFinite(found[1]));
  }

  @Test
  void whatDoesNotFitIsRefused() {
    HierarchicalTopologyLoss loss = HierarchicalTopologyLoss.second();
    LossInputs channels =
        sides(floats(1, 3, 4), floats(2, 3, 5), floats(3, 3, 6), floats(4, 3, 6), Map.of());
    assertThrows(IllegalArgumentException.class, () -> loss.trainedPart(channels, 0));
    Map<String, Tensor> names =
        Map.of(
            "users",
            Tensor.create(new long[] {8, 5}),
            "items",
            Tensor.create(new long[] {1, 2, 3}));
    LossInputs few =
        sides(floats(1, 3, 4), floats(2, 3, 4), floats(3, 3, 6), floats(4, 3, 6), names);
    try (TrainedPart part = loss.trainedPart(few, 0).orElseThrow()) {
      IllegalArgumentException e =
          assertThrows(IllegalArgumentException.class, () -> loss.forward(with(few, part)));
      assertTrue(e.getMessage().contains("users [2]"), e.getMessage());
    }
    assertThrows(
        IllegalArgumentException.class, () -> new HierarchicalTopologyLoss(1, 1.5, 1, true));
  }
}
