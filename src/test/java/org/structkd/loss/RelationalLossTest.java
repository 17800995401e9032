package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.loss.RelationalLoss.Kind;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Distances, angles and areas: RKD's own numbers and what they do not depend on. */
@InScope
class RelationalLossTest {
  private static final RelationalLoss LOSS = RelationalLoss.standard();

  /** The first row of the gradient that RKD's code gives. */
  @Test
  void theReleasedCodeGivesTheSame() {
    Tensor student = Tensors.leaf(Tensors.sine(1, 0.9, 0.2, 0, 5, 4), ScalarType.Double);
    Tensor loss = LOSS.forward(student, Tensors.sine(2, 1.7, 0.5, 0, 5, 7));
    assertEquals(0.14802995348298884, loss.item_double(), 1e-14);
    loss.backward();
    double[] expected = {
      0.014611266855929252, -0.012130656185027858, -0.029692340468484263, -0.024783453447964676
    };
    assertArrayEquals(expected, Tensors.values(student.grad().select(0, 0)), 1e-14);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void turningMovingAndScalingOneNetworkChangesNothing(Kind kind) {
    RelationalLoss loss = new RelationalLoss(kind, false);
    Tensor student = Tensors.gaussian(1, 8, 6);
    Tensor teacher = Tensors.gaussian(2, 8, 6);
    double value = loss.forward(student, teacher).item_double();
    Tensor turned = student.flip(1).mul(new Scalar(7)).add(new Scalar(3));
    assertTrue(value > 1e-3);
    assertEquals(value, loss.forward(turned, teacher).item_double(), 1e-12);
    assertEquals(0, loss.forward(turned, student).item_double(), 1e-24);
  }

  /** RKD's own code for angles, which keeps N x N x C differences, in LibTorch. */
  @Test
  void anglesAreThoseOfThePublishedFormula() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 9, 5), ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, 9, 7);
    Tensor expected = torch.smooth_l1_loss(publishedAngles(student), publishedAngles(teacher));
    expected.backward();
    double[] gradient = Tensors.values(student.grad());
    student.mutable_grad().reset();
    Tensor loss = RelationalLoss.angle().forward(student, teacher);
    loss.backward();
    assertEquals(expected.item_double(), loss.item_double(), 1e-12 * loss.item_double());
    assertArrayEquals(gradient, Tensors.values(student.grad()), 1e-14);
  }

  private static Tensor publishedAngles(Tensor embeddings) {
    Tensor apart = embeddings.unsqueeze(0).sub(embeddings.unsqueeze(1));
    Tensor lengths = apart.square().sum(new long[] {2}, true, new ScalarTypeOptional());
    Tensor units = apart.div(lengths.clamp_min(new Scalar(1e-24)).sqrt());
    return torch.bmm(units, units.transpose(1, 2)).view(-1);
  }

  @Test
  void areasOfOneTriangleAreTheirOwnMean() {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 3, 4), ScalarType.Double);
    Tensor value = RelationalLoss.area().forward(student, Tensors.gaussian(2, 3, 4));
    assertEquals(0, value.item_double(), 1e-30);
    Tensor four = Tensors.gaussian(3, 4, 4);
    assertTrue(RelationalLoss.area().forward(four, Tensors.gaussian(2, 4, 4)).item_double() > 1e-3);
  }

  @Test
  void oneChannelIsRefusedWhereItTeachesNothing() {
    Tensor line = Tensors.gaussian(1, 5, 1);
    Tensor teacher = Tensors.gaussian(2, 5, 3);
    assertTrue(LOSS.forward(line, teacher).item_double() > 0);
    for (RelationalLoss loss :
        List.of(
            RelationalLoss.angle(), RelationalLoss.area(), RelationalLoss.distanceOfDirections())) {
      String said =
          assertThrows(IllegalArgumentException.class, () -> loss.forward(line, teacher))
              .getMessage();
      assertTrue(said.contains("[5, 1]") && said.contains("expected 2 channels or more"), said);
    }
  }

  @Test
  void lengthsMatterOnlyWhereTheyAreNotNormalized() {
    Tensor teacher = Tensors.gaussian(2, 8, 6);
    Tensor lengths = Tensors.gaussian(3, 8, 1).square().add(new Scalar(0.1));
    Tensor student = Tensors.gaussian(1, 8, 6);
    Tensor longer = student.mul(lengths);
    RelationalLoss directions = RelationalLoss.distanceOfDirections();
    double value = directions.forward(student, teacher).item_double();
    assertEquals(value, directions.forward(longer, teacher).item_double(), 1e-12);
    assertTrue(
        Math.abs(
                LOSS.forward(student, teacher).item_double()
                    - LOSS.forward(longer, teacher).item_double())
            > 1e-3);
  }

  @Test
  void equalEmbeddingsHaveAFiniteGradient() {
    Tensor row = Tensors.gaussian(1, 1, 4);
    Tensor rows = torch.cat(new TensorVector(row, row, Tensors.gaussian(2, 3, 4)), 0);
    Tensor student = Tensors.leaf(rows, ScalarType.Float);
    LOSS.forward(student, Tensors.gaussian(3, 5, 4).to(ScalarType.Float)).backward();
    assertTrue(student.grad().isfinite().all().item_bool());
    Tensor same = Tensors.leaf(torch.ones(4, 3), ScalarType.Float);
    LOSS.forward(same, Tensors.gaussian(3, 4, 4).to(ScalarType.Float)).backward();
    assertTrue(same.grad().eq(new Scalar(0)).all().item_bool());
  }

  /** Two clouds a thousand times as far from the origin as wide: squares cancel, f64 holds. */
  @Test
  void distancesOfEmbeddingsFarFromTheOriginAreExact() {
    Tensor near = Tensors.gaussian(1, 16, 8).to(ScalarType.Float).to(ScalarType.Double);
    Tensor teacher = Tensors.gaussian(2, 16, 8);
    double exact = LOSS.forward(near, teacher).item_double();
    Tensor far = near.mul(new Scalar(0.25)).add(new Scalar(256)).to(ScalarType.Float);
    double value = LOSS.forward(far, teacher.to(ScalarType.Float)).item_double();
    assertEquals(1, value / exact, 1e-3); // an f32 near 256 has steps of 3e-5
  }

  @Test
  void twoEmbeddingsAreRefused() {
    Tensor two = Tensors.gaussian(1, 2, 4);
    for (Kind kind : Kind.values()) {
      RelationalLoss loss = new RelationalLoss(kind, false);
      String said =
          assertThrows(IllegalArgumentException.class, () -> loss.forward(two, two)).getMessage();
      assertTrue(said.contains("[2, 4]") && said.contains("fewer than 3 embeddings"), said);
    }
    Tensor map = Tensors.gaussian(1, 4, 4, 2, 2);
    IllegalArgumentException rank =
        assertThrows(IllegalArgumentException.class, () -> LOSS.forward(map, map));
    assertTrue(rank.getMessage().contains("expected 2: [batch, channels]"), rank.getMessage());
  }
}
