package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.MapView;
import org.structkd.internal.Settings;

/**
 * Bidirectional distillation (BD): student and teacher learn from each other, each most about items
 * that it ranks otherwise.
 *
 * <pre>{@code
 * L  = sum over the drawn items of each user of BCE(sigmoid(own score), sigmoid(other / temperature))
 * an item is drawn, without replacement, in proportion to
 *    max(0, tanh(student_slope (own rank - other rank)))     where the student learns
 *    exp(teacher_slope (own rank - other rank))              where the teacher learns
 * }</pre>
 *
 * <p>Ranks count from the best item on, so that own - other is positive where the other network
 * ranks the item higher; they are those of the step.
 *
 * <ul>
 *   <li><b>Value:</b> in nats, at least 0; a sum over the users of the batch and their items.
 *   <li><b>Gradient:</b> to the scores of whoever learns; those of the other are constant.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: W. Kweon et al., "Bidirectional Distillation for Top-K Recommender System", WWW 2021,
 * arXiv 2106.02870. Weight there: 0.5 for either network.
 *
 * @param learner who learns
 * @param order where the ranks of the draws begin
 * @param draws items of each user, 1 or more; all where there are fewer
 * @param temperature of the other network's scores, above 0
 * @param studentSlope how chances of the student's items rise with the gap of ranks, above 0
 * @param teacherSlope the same of the teacher's
 * @param rated whether items with the target {@code rated} take no part
 * @param seed of the draws
 */
public record BidirectionalDistillationLoss(
    Learner learner,
    Order order,
    long draws,
    double temperature,
    double studentSlope,
    double teacherSlope,
    boolean rated,
    long seed)
    implements CountingLoss {
  private static final String NAME = "bidirectional distillation loss";

  /** The role of the teacher's scores where both networks learn: an output of the student. */
  public static final String TEACHER_SCORES = "teacher_scores";

  /** Who learns. */
  public enum Learner {
    /** The student, from the teacher. */
    STUDENT,
    /** The teacher, from the student: it is the network that trains, the student the fixed one. */
    TEACHER,
    /** Both, as one network that puts out the scores of either. */
    BOTH
  }

  /** Which item has rank 1. */
  public enum Order {
    /** The best, as in the publication. */
    BEST_FIRST,
    /** The worst, as in the released notebook, which turns the sign of every gap. */
    WORST_FIRST
  }

  /** Checks the settings. */
  public BidirectionalDistillationLoss {
    Settings.requireGiven(NAME, "learner", learner);
    Settings.requireGiven(NAME, "order", order);
    Settings.requireCount(NAME, "draws", draws, 1);
    Settings.requirePositive(NAME, "temperature", temperature);
    Settings.requirePositive(NAME, "studentSlope", studentSlope);
    Settings.requirePositive(NAME, "teacherSlope", teacherSlope);
  }

  private static BidirectionalDistillationLoss published(Learner learner) {
    return new BidirectionalDistillationLoss(learner, Order.BEST_FIRST, 50, 2, 1e-2, 1e-4, true, 0);
  }

  /** {@return the student's term: items that the teacher ranks higher} */
  public static BidirectionalDistillationLoss studentTerm() {
    return published(Learner.STUDENT);
  }

  /** {@return the teacher's term, the roles swapped: items that the student ranks higher} */
  public static BidirectionalDistillationLoss teacherTerm() {
    return published(Learner.TEACHER);
  }

  /** {@return both terms of one network with the scores of either} */
  public static BidirectionalDistillationLoss both() {
    return published(Learner.BOTH);
  }

  /** {@return both terms with the ranks and slopes of the released notebook} */
  public static BidirectionalDistillationLoss released() {
    return new BidirectionalDistillationLoss(
        Learner.BOTH, Order.WORST_FIRST, 50, 2, 1e-4, 1e-4, true, 0);
  }

  /** {@inheritDoc} It is a sum over users. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.SUM;
  }

  @Override
  public Needs needs() {
    Needs needs = ItemScores.needs(rated);
    return learner == Learner.BOTH
        ? new Needs(
            List.of(Needs.Role.of(ItemScores.SCORES, 2), Needs.Role.of(TEACHER_SCORES, 2)),
            List.of(),
            needs.targets(),
            Set.of(),
            false,
            needs.forms())
        : needs;
  }

  /**
   * {@inheritDoc} Drawn items are counted.
   *
   * @throws IllegalArgumentException if scores are not [users, items] of one shape
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    if (learner != Learner.BOTH) {
      return term(ItemScores.of(NAME, inputs, rated), learner, inputs.step());
    }
    Tensor student = inputs.student(ItemScores.SCORES);
    Tensor teacher = inputs.student(TEACHER_SCORES);
    MapView.of(NAME, ItemScores.SCORES, student, MapView.Accepts.VECTORS);
    MapView.of(NAME, TEACHER_SCORES, teacher, MapView.Accepts.VECTORS);
    LossValue ofStudent =
        term(ItemScores.of(NAME, student, teacher, inputs, rated), Learner.STUDENT, inputs.step());
    LossValue ofTeacher =
        term(ItemScores.of(NAME, teacher, student, inputs, rated), Learner.TEACHER, inputs.step());
    return new LossValue(
        ofStudent.loss().add(ofTeacher.loss()), ofStudent.tookPart().add(ofTeacher.tookPart()));
  }

  /** Of scores whose "student" is who learns. */
  private LossValue term(ItemScores scores, Learner one, long step) {
    Tensor own = scores.ranks(scores.student());
    Tensor gap = own.sub(scores.ranks(scores.teacher())).to(ScalarType.Double);
    if (order == Order.WORST_FIRST) {
      gap = gap.neg();
    }
    Tensor weights =
        one == Learner.STUDENT
            ? gap.mul(new Scalar(studentSlope)).tanh().clamp_min(new Scalar(0))
            : gap.mul(new Scalar(teacherSlope)).exp();
    long stream = one == Learner.STUDENT ? 0 : 1;
    ItemScores.Chosen drawn = scores.drawn(weights, draws, new Draws(seed, step), stream);
    return new LossValue(scores.crossEntropy(drawn, temperature), drawn.taken().sum());
  }
}
