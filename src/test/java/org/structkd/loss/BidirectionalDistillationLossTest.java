package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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

/** Who learns what from whom. */
@InScope
class BidirectionalDistillationLossTest {
  @Test
  void studentAndTeacherLearnWhatTheOtherRanksHigher() {
    Tensor student = ScoreInputs.row(4, 3, 2, 1);
    Tensor teacher = ScoreInputs.row(1, 3, 2, 4); // items 0 and 3 changed places
    Tensor none = torch.zeros(1, 4);
    BidirectionalDistillationLoss loss = BidirectionalDistillationLoss.studentTerm();
    loss.forward(ScoreInputs.of(student, teacher, none, 0)).backward();
    double[] gradient = Tensors.values(student.grad());
    assertArrayEquals(
        new double[] {0, 0, 0, 1 / (1 + Math.exp(-1)) - 1 / (1 + Math.exp(-2))}, gradient, 1e-15);
    assertEquals(0, loss.forward(ScoreInputs.of(student, student.detach(), none, 0)).item_double());
    BidirectionalDistillationLoss turned =
        new BidirectionalDistillationLoss(
            BidirectionalDistillationLoss.Learner.STUDENT,
            BidirectionalDistillationLoss.Order.WORST_FIRST,
            50,
            2,
            1e-2,
            1e-4,
            true,
            0);
    Tensor again = ScoreInputs.row(4, 3, 2, 1);
    turned.forward(ScoreInputs.of(again, teacher, none, 0)).backward();
    double[] other = Tensors.values(again.grad());
    assertTrue(other[0] != 0 && other[3] == 0, "its own favourite");
  }

  @Test
  void bothTermsAreThoseOfEitherNetwork() {
    Tensor student = Tensors.gaussian(1, 3, 9);
    Tensor teacher = Tensors.gaussian(2, 3, 9);
    Tensor none = torch.zeros(3, 9);
    Tensor s = Tensors.leaf(student, ScalarType.Double);
    Tensor t = Tensors.leaf(teacher, ScalarType.Double);
    Tensor both =
        BidirectionalDistillationLoss.both()
            .forward(
                new LossInputs(
                    Map.of("scores", s, "teacher_scores", t),
                    Map.of(),
                    Map.of("rated", none),
                    Map.of(),
                    OptionalLong.empty(),
                    0,
                    null));
    both.backward();
    Tensor one = Tensors.leaf(student, ScalarType.Double);
    Tensor two = Tensors.leaf(teacher, ScalarType.Double);
    Tensor first =
        BidirectionalDistillationLoss.studentTerm().forward(ScoreInputs.of(one, teacher, none, 0));
    Tensor second =
        BidirectionalDistillationLoss.teacherTerm().forward(ScoreInputs.of(two, student, none, 0));
    first.add(second).backward();
    assertEquals(first.add(second).item_double(), both.item_double(), 1e-13);
    assertArrayEquals(Tensors.values(one.grad()), Tensors.values(s.grad()), 1e-15);
    assertArrayEquals(Tensors.values(two.grad()), Tensors.values(t.grad()), 1e-15);
  }

  @Test
  void ratedItemsTakeNoPart() {
    ScoreInputs.requireRatedLeftOut(BidirectionalDistillationLoss.teacherTerm());
  }

  @Test
  void impossibleInputIsRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new BidirectionalDistillationLoss(null, null, 1, 1, 1, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            new BidirectionalDistillationLoss(
                BidirectionalDistillationLoss.Learner.BOTH,
                BidirectionalDistillationLoss.Order.BEST_FIRST,
                1,
                1,
                0,
                1,
                true,
                0));
  }
}
