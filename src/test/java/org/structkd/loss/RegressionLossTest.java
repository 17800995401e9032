package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Numbers worked out by hand, what is valid, and what is broadcast nowhere. */
@InScope
class RegressionLossTest {
  private static final double NAN = Double.NaN;

  private static LossInputs inputs(Tensor student, Tensor teacher, Tensor ratings) {
    return new LossInputs(
        Map.of("prediction", student),
        Map.of("prediction", teacher),
        Map.of("ratings", ratings),
        Map.of(),
        OptionalLong.empty(),
        0,
        null);
  }

  private static Tensor numbers(double... values) {
    return Tensor.create(values);
  }

  private static double value(Distance distance, Tensor student, Tensor wanted) {
    return new RegressionLoss("teacher", distance, new RegressionLoss.Valid.All())
        .forward(student, wanted)
        .item_double();
  }

  @Test
  void theTargetOrTheTeacherIsTheMeasure() {
    Tensor student = Tensors.leaf(numbers(1, 2, 4), ScalarType.Double);
    LossInputs in = inputs(student, numbers(1, 2, 1), numbers(2, 2, 2));
    assertEquals(5 / 3.0, RegressionLoss.toRatings().forward(in).item_double(), 1e-15);
    Tensor loss = RegressionLoss.toTeacher().forward(in);
    assertEquals(3, loss.item_double(), 1e-15);
    loss.backward();
    assertArrayEquals(new double[] {0, 0, 2}, Tensors.values(student.grad()), 1e-15);
  }

  @Test
  void eachDistanceIsItsFormula() {
    Tensor student = numbers(1, 2.5, 6);
    Tensor wanted = numbers(1, 2, 1); // 0, 0.5 and 5 apart
    assertEquals(25.25 / 3, value(new Distance.Squared(), student, wanted), 1e-15);
    assertEquals(5.5 / 3, value(new Distance.Absolute(), student, wanted), 1e-15);
    assertEquals((0.125 + 4.5) / 3, value(new Distance.Smooth(), student, wanted), 1e-15);
    assertEquals((0.5 + 26 / 2.0) / 3, value(new Distance.Berhu(), student, wanted), 1e-15);
    double first = Math.log(1.25);
    double second = Math.log(6);
    assertEquals((first + second) / 3, value(new Distance.LogAbsolute(), student, wanted), 1e-15);
    Tensor rows = student.unsqueeze(0);
    assertEquals(
        (first * first + second * second) / 3 - 0.5 * Math.pow((first + second) / 3, 2),
        value(new Distance.ScaleInvariantLog(), rows, wanted.unsqueeze(0)),
        1e-15);
    assertEquals(0, value(new Distance.ScaleInvariantLog(1), rows.mul(new Scalar(7)), rows), 1e-15);
  }

  @Test
  void nothingApartHasNoGradient() {
    for (Distance distance :
        new Distance[] {new Distance.Berhu(), new Distance.Absolute(), new Distance.Smooth()}) {
      Tensor student = Tensors.leaf(numbers(1, 2), ScalarType.Double);
      new RegressionLoss("teacher", distance, new RegressionLoss.Valid.All())
          .forward(student, student.detach())
          .backward();
      assertArrayEquals(new double[2], Tensors.values(student.grad()));
    }
  }

  @Test
  void whatIsNotValidTakesNoPart() {
    Tensor wanted = numbers(2, NAN, 0, -1, Double.POSITIVE_INFINITY);
    Map<RegressionLoss.Valid, Double> expected =
        Map.of(
            new RegressionLoss.Valid.Finite(), (1.0 + 3 + 4) / 3,
            new RegressionLoss.Valid.Positive(), 1.0,
            new RegressionLoss.Valid.Except(0), (1.0 + 4) / 2);
    expected.forEach(
        (valid, value) -> {
          Tensor student = Tensors.leaf(numbers(3, NAN, 3, 3, NAN), ScalarType.Double);
          RegressionLoss loss = new RegressionLoss("teacher", new Distance.Absolute(), valid);
          Tensor given = loss.forward(student, wanted);
          assertEquals(value, given.item_double(), 1e-15, valid.toString());
          given.backward();
          assertTrue(student.grad().isfinite().all().item_bool(), valid.toString());
        });
  }

  @Test
  void nothingValidIsZero() {
    for (RegressionLoss loss :
        new RegressionLoss[] {RegressionLoss.berhu(), RegressionLoss.scaleInvariantLog()}) {
      Tensor student = Tensors.leaf(numbers(3, 1), ScalarType.Double);
      LossValue value = loss.measure(inputs(student, numbers(NAN, NAN), numbers(0)));
      assertEquals(0, value.loss().item_double());
      assertEquals(0, value.tookPart().item_long());
      value.loss().backward();
      assertArrayEquals(new double[2], Tensors.values(student.grad()));
    }
  }

  @Test
  void anotherShapeIsRefusedWhereLibTorchWouldBroadcast() {
    Tensor student = Tensors.gaussian(1, 3);
    LossInputs in = inputs(student, student, Tensors.gaussian(2, 3, 1));
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> RegressionLoss.toRatings().forward(in));
    assertTrue(e.getMessage().contains("ratings [3, 1]"), e.getMessage());
  }

  @Test
  void impossibleSettingsAreRefused() {
    Distance squared = new Distance.Squared();
    RegressionLoss.Valid all = new RegressionLoss.Valid.All();
    assertThrows(IllegalArgumentException.class, () -> new RegressionLoss(" ", squared, all));
    assertThrows(IllegalArgumentException.class, () -> new RegressionLoss.Valid.Except(NAN));
    for (double wrong : new double[] {0, -1, NAN}) {
      assertThrows(IllegalArgumentException.class, () -> new Distance.Smooth(wrong));
      assertThrows(IllegalArgumentException.class, () -> new Distance.Berhu(wrong));
      assertThrows(IllegalArgumentException.class, () -> new Distance.ScaleInvariantLog(wrong));
    }
    assertThrows(IllegalArgumentException.class, () -> new Distance.Berhu(1.5));
  }
}
