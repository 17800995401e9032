package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Losses of scores that users give items: by hand, what is drawn, and who learns what. */
@InScope
class RankingLossesTest {
  private static Tensor row(double... scores) {
    return Tensors.leaf(Tensor.create(scores, 1, scores.length), ScalarType.Double);
  }

  private static LossInputs inputs(Tensor student, Tensor teacher, Tensor rated, long step) {
    return new LossInputs(
        Map.of("scores", student),
        Map.of("scores", teacher),
        rated == null ? Map.of() : Map.of("rated", rated),
        Map.of(),
        OptionalLong.empty(),
        step,
        null);
  }

  private static double value(Loss loss, Tensor student, Tensor teacher) {
    return loss.forward(inputs(student, teacher, null, 0)).item_double();
  }

  private static double logSigmoid(double x) {
    return -Math.log1p(Math.exp(-x));
  }

  @Test
  void positionsWeighAsTheTeacherRanks() {
    RankingDistillationLoss loss = new RankingDistillationLoss(2, 1, 0.1, 0, 0, false, 0);
    Tensor student = row(0.5, -1, 2, 0);
    Tensor teacher = row(1, 3, 0, 2); // items 1 and 3 are the best
    double first = 1 / (1 + Math.exp(-1));
    assertEquals(
        -first * logSigmoid(-1) - (1 - first) * logSigmoid(0),
        value(loss, student, teacher),
        1e-15);
  }

  @Test
  void anItemThatTheStudentRanksWellEnoughWeighsNothing() {
    RankingDistillationLoss loss = new RankingDistillationLoss(1, 1, 0.1, 100, 3, false, 0);
    Tensor teacher = row(3, 2, 1, 0);
    Tensor high = row(9, 2, 1, 0);
    Tensor low = row(-9, 2, 1, 0); // three of four items are above it
    assertEquals(0, loss.forward(inputs(high, teacher, null, 3)).item_double());
    assertEquals(-logSigmoid(9), value(loss, high, teacher), 1e-15); // before its start
    assertEquals(
        -Math.tanh(0.1 * 3) * logSigmoid(-9),
        loss.forward(inputs(low, teacher, null, 3)).item_double(),
        1e-14);
  }

  @Test
  void theTopIsOrderedAboveTheOthers() {
    RelaxedRankingDistillationLoss loss = new RelaxedRankingDistillationLoss(2, 9, false, 0);
    double value = value(loss, row(1, 2, 0.5), row(3, 2, 1));
    double e = Math.exp(1);
    double expected =
        -1 + Math.log(e + Math.exp(2) + Math.exp(0.5)) - 2 + Math.log(Math.exp(2) + Math.exp(0.5));
    assertEquals(expected, value, 1e-14);
  }

  @Test
  void largeScoresDoNotOverflow() {
    Tensor student = row(1000, -1000, 500, 0);
    Tensor teacher = row(0, 3, 2, 1);
    for (Loss loss :
        List.of(
            RelaxedRankingDistillationLoss.allItems(), CollaborativeDistillationLoss.allItems())) {
      Tensor value = loss.forward(inputs(student, teacher, null, 0));
      assertTrue(Double.isFinite(value.item_double()), loss.toString());
      value.backward();
      assertTrue(student.grad().isfinite().all().item_bool(), loss.toString());
    }
  }

  @Test
  void ratedItemsTakeNoPart() {
    Tensor rated = Tensor.create(new long[] {0, 1, 0, 0, 1}, 1, 5);
    Tensor teacher = row(1, 9, 2, 3, 8);
    for (Loss loss :
        List.of(
            RankingDistillationLoss.released(),
            RelaxedRankingDistillationLoss.released(),
            CollaborativeDistillationLoss.standard(),
            BidirectionalDistillationLoss.teacherTerm())) {
      Tensor student = row(0, 0.5, 0.3, -0.2, 1);
      loss.forward(inputs(student, teacher, rated, 5)).backward();
      double[] gradient = Tensors.values(student.grad());
      for (int item = 0; item < 5; item++) {
        assertEquals(item == 1 || item == 4, gradient[item] == 0, loss + ", item " + item);
      }
      Tensor all = torch.ones_like(rated);
      Tensor nothing = loss.forward(inputs(student, teacher, all, 5));
      assertEquals(0, nothing.item_double(), loss.toString());
    }
  }

  @Test
  void whatIsDrawnIsAFunctionOfSeedAndStep() {
    Tensor student = Tensors.gaussian(1, 4, 60);
    Tensor teacher = Tensors.gaussian(2, 4, 60);
    CollaborativeDistillationLoss loss = new CollaborativeDistillationLoss(5, 1, 10, false, 3);
    double first = loss.forward(inputs(student, teacher, null, 7)).item_double();
    assertEquals(first, loss.forward(inputs(student, teacher, null, 7)).item_double());
    assertNotEquals(first, loss.forward(inputs(student, teacher, null, 8)).item_double());
    CollaborativeDistillationLoss other = new CollaborativeDistillationLoss(5, 1, 10, false, 4);
    assertNotEquals(first, other.forward(inputs(student, teacher, null, 7)).item_double());
  }

  /** Over many steps an item is drawn as often as its share of the weights says. */
  @Test
  void theTeachersFirstRanksAreDrawnMost() {
    CollaborativeDistillationLoss loss = new CollaborativeDistillationLoss(1, 1, 1, false, 0);
    Tensor teacher = row(3, 2, 1);
    int[] drawn = new int[3];
    int steps = 3000;
    for (int step = 0; step < steps; step++) {
      try (PointerScope call = new PointerScope()) {
        Tensor student = row(0, 0, 0);
        loss.forward(inputs(student, teacher, null, step)).backward();
        drawn[(int) student.grad().ne(new Scalar(0)).to(ScalarType.Double).argmax().item_long()]++;
      }
    }
    double all = Math.exp(-1) + Math.exp(-2) + Math.exp(-3);
    for (int item = 0; item < 3; item++) {
      double share = Math.exp(-1 - item) / all;
      double deviation = Math.sqrt(share * (1 - share) / steps);
      assertEquals(share, drawn[item] / (double) steps, 5 * deviation, "item " + item);
    }
  }

  @Test
  void studentAndTeacherLearnWhatTheOtherRanksHigher() {
    Tensor student = row(4, 3, 2, 1);
    Tensor teacher = row(1, 3, 2, 4); // items 0 and 3 changed places
    Tensor none = torch.zeros(1, 4);
    BidirectionalDistillationLoss loss = BidirectionalDistillationLoss.studentTerm();
    loss.forward(inputs(student, teacher, none, 0)).backward();
    double[] gradient = Tensors.values(student.grad());
    assertArrayEquals(
        new double[] {0, 0, 0, 1 / (1 + Math.exp(-1)) - 1 / (1 + Math.exp(-2))}, gradient, 1e-15);
    assertEquals(0, loss.forward(inputs(student, student.detach(), none, 0)).item_double());
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
    Tensor again = row(4, 3, 2, 1);
    turned.forward(inputs(again, teacher, none, 0)).backward();
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
        BidirectionalDistillationLoss.studentTerm().forward(inputs(one, teacher, none, 0));
    Tensor second =
        BidirectionalDistillationLoss.teacherTerm().forward(inputs(two, student, none, 0));
    first.add(second).backward();
    assertEquals(first.add(second).item_double(), both.item_double(), 1e-13);
    assertArrayEquals(Tensors.values(one.grad()), Tensors.values(s.grad()), 1e-15);
    assertArrayEquals(Tensors.values(two.grad()), Tensors.values(t.grad()), 1e-15);
  }

  @Test
  void impossibleInputIsRefused() {
    Tensor one = Tensors.gaussian(1, 3, 1);
    assertThrows(
        IllegalArgumentException.class,
        () -> value(RelaxedRankingDistillationLoss.allItems(), one, one));
    Tensor scores = Tensors.gaussian(1, 3, 4);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                RankingDistillationLoss.released()
                    .forward(inputs(scores, scores, torch.zeros(3, 5), 0)));
    assertTrue(e.getMessage().contains("rated [3, 5]"), e.getMessage());
    assertThrows(
        IllegalArgumentException.class, () -> new RankingDistillationLoss(0, 1, 1, 1, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new RankingDistillationLoss(1, Double.NaN, 1, 1, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new RelaxedRankingDistillationLoss(1, -1, true, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new CollaborativeDistillationLoss(1, 0, 1, true, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new BidirectionalDistillationLoss(null, null, 1, 1, 1, 1, true, 0));
  }
}
