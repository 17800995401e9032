package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.Draws;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.TensorArguments;

/**
 * Scores that two networks give all items for the users of a batch, in one type.
 *
 * @param student [users, items]
 * @param teacher the same, constant
 * @param candidates Bool [users, items]: the items that take part
 */
record ItemScores(Tensor student, Tensor teacher, Tensor candidates) {
  /** The role of a network's scores. */
  static final String SCORES = "scores";

  /** The target that tells which items a user has rated: these take no part. */
  static final String RATED = "rated";

  /**
   * Some items of each user.
   *
   * @param items I64 [users, n]
   * @param taken Bool [users, n]: false where a user had fewer
   */
  record Chosen(Tensor items, Tensor taken) {}

  /** What a loss of scores reads. */
  static Needs needs(boolean rated) {
    Needs.Role scores = Needs.Role.of(SCORES, 2);
    return new Needs(
            List.of(scores), List.of(scores), rated ? Set.of(RATED) : Set.of(), Set.of(), false)
        .with(RATED, Needs.Form.of(Needs.Values.FLAGS));
  }

  /**
   * The scores of a step.
   *
   * @param rated whether items that a user has rated are left out
   * @throws IllegalArgumentException if shapes or devices do not fit
   */
  static ItemScores of(String loss, LossInputs inputs, boolean rated) {
    return of(loss, inputs.student(SCORES), inputs.teacher(SCORES), inputs, rated);
  }

  /** Scores of two networks that a loss names. */
  static ItemScores of(
      String loss, Tensor student, Tensor teacher, LossInputs inputs, boolean rated) {
    MapPair pair =
        MapPair.of(loss, student, teacher, MapView.Accepts.VECTORS)
            .requireRank(2, "[users, items]")
            .requireSameChannels();
    ScalarType type =
        torch.promoteTypes(
            torch.promoteTypes(student.scalar_type(), teacher.scalar_type()), ScalarType.Float);
    return new ItemScores(
        student.to(type),
        teacher.detach().to(type),
        rated
            ? unrated(pair.student(), inputs.target(RATED))
            : torch.ones_like(student.detach()).to(ScalarType.Bool));
  }

  private static Tensor unrated(MapView student, Tensor rated) {
    TensorArguments.requireOpen(student.loss(), RATED, rated);
    TensorArguments.requireSameShape(student.loss(), student.name(), student.given(), RATED, rated);
    TensorArguments.requireSameDevice(
        student.loss(), student.name(), student.given(), RATED, rated);
    return rated.eq(new Scalar(0));
  }

  /** How many items there are. */
  long items() {
    return student.size(1);
  }

  /** The candidates that the teacher scores highest, best first. */
  Chosen best(long count) {
    return first(candidatesOnly(teacher), count, candidates);
  }

  /**
   * Candidates drawn without replacement.
   *
   * @param weights [users, items] of at least 0, to which chances are proportional
   * @param draws by which; one stream
   */
  Chosen drawn(Tensor weights, long count, Draws draws, long stream) {
    Tensor allowed = candidates.logical_and(weights.gt(new Scalar(0)));
    Tensor noise = draws.gumbel(stream, weights.device(), weights.size(0), weights.size(1));
    // The largest of log w + Gumbel noise are a sample without replacement.
    Tensor keys = weights.to(ScalarType.Double).log().add(noise);
    return first(without(keys, allowed), count, allowed);
  }

  private static Chosen first(Tensor keys, long count, Tensor allowed) {
    T_TensorTensor_T top = keys.topk(Math.min(count, keys.size(1)), 1, true, true);
    Tensor items = top.get1();
    return new Chosen(items, allowed.gather(1, items));
  }

  /** The rank of each item among the candidates, I64 [users, items]: 1 is the best. */
  Tensor ranks(Tensor scores) {
    Tensor order = candidatesOnly(scores.detach()).argsort(true, 1, true);
    return order.argsort(true, 1, false).add(new Scalar(1));
  }

  private Tensor candidatesOnly(Tensor scores) {
    return without(scores, candidates);
  }

  private static Tensor without(Tensor scores, Tensor allowed) {
    return scores.masked_fill(allowed.logical_not(), new Scalar(Double.NEGATIVE_INFINITY));
  }

  /** {@return the student's scores of chosen items} */
  Tensor ofStudent(Chosen chosen) {
    return student.gather(1, chosen.items());
  }

  /**
   * Cross-entropy between the student's chance that a user likes an item and the teacher's.
   *
   * @param temperature of the teacher's scores alone
   * @return the sum over the chosen items of softplus(s) - s sigmoid(t / temperature)
   */
  Tensor crossEntropy(Chosen chosen, double temperature) {
    Tensor s = ofStudent(chosen);
    Tensor wanted = teacher.gather(1, chosen.items()).div(new Scalar(temperature)).sigmoid();
    Tensor softplus = torch.log_sigmoid(s.neg()).neg();
    Tensor terms = softplus.sub(s.mul(wanted));
    return Rows.sumOfAll(terms.masked_fill(chosen.taken().logical_not(), new Scalar(0)));
  }
}
