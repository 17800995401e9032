package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.CrossImageRelationLoss;
import org.structkd.loss.MapLoss;

/** Cross-image relation loss between all positions, temperature 0.1. */
final class CrossImageRelationFormulas implements LossFormulas {
  private static final CrossImageRelationLoss LOSS = CrossImageRelationLoss.cirkd();
  private static final Scalar MINUS_ONE = new Scalar(-1.0).retainReference();

  @Override
  public CrossImageRelationLoss ours(CaseShape shape) {
    return LOSS;
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    MapLoss composed = Computation.on("composed", LOSS);
    Computation timed =
        switch (provider) {
          case "eager", "eager-malloc" -> Computation.autograd(composed);
          case "eager-best" -> Computation.byHand(CrossImageRelationFormulas::best);
          case "authors" -> Computation.autograd(CrossImageRelationFormulas::authors);
          default -> Computation.autograd(LOSS);
        };
    return new Contender(timed, composed, "composed");
  }

  /** [B, N, C]. */
  private static Tensor rows(Tensor map) {
    return map.flatten(2, 3).transpose(1, 2);
  }

  private static Tensor length(Tensor rows) {
    return rows.norm(new ScalarOptional(new Scalar(2)), new long[] {2}, true)
        .clamp_min(new Scalar(LOSS.eps()));
  }

  /** CIRKD: one pair of images after the other. */
  private static Tensor authors(Tensor student, Tensor teacher) {
    Tensor s = rows(student).div(length(rows(student)));
    Tensor t = rows(teacher).div(length(rows(teacher)));
    long images = student.size(0);
    Tensor sum = torch.zeros(new long[] {}, student.options());
    for (long m = 0; m < images; m++) {
      for (long n = 0; n < images; n++) {
        Tensor logS = torch.log_softmax(likeness(s, m, n), 1, new ScalarTypeOptional());
        Tensor ofTeacher = torch.softmax(likeness(t, m, n), 1, new ScalarTypeOptional());
        sum = sum.add(torch.kl_div(logS, ofTeacher).mul(new Scalar((double) s.size(1))));
      }
    }
    return sum.div(new Scalar((double) images * images));
  }

  /** Cosines of all pairs of positions of two images, over the temperature. */
  private static Tensor likeness(Tensor rows, long m, long n) {
    return rows.select(0, m).mm(rows.select(0, n).t()).div(new Scalar(LOSS.temperature()));
  }

  /**
   * Two matrices over the whole batch, in place: P and Q are softmaxes of all rows, U = P - Q, and
   * the gradient by unit vectors is (U + U') S.
   */
  private static Computation.Result best(Tensor student, Tensor teacher, boolean wantGradient) {
    long images = student.size(0);
    long nodes = student.size(2) * student.size(3);
    Tensor length = length(rows(student)).flatten(0, 1);
    Tensor s = rows(student).flatten(0, 1).div(length);
    Tensor t = rows(teacher).flatten(0, 1).div(length(rows(teacher)).flatten(0, 1));
    Tensor logS = logRows(s, images, nodes);
    Tensor logT = logRows(t, images, nodes);
    Tensor ofTeacher = logT.exp();
    Tensor value =
        logT.sub_(logS).mul_(ofTeacher).sum().div(new Scalar((double) images * images * nodes));
    if (!wantGradient) {
      return new Computation.Result(value, null);
    }
    Tensor slopes = logS.exp_().sub_(ofTeacher).view(images * nodes, images * nodes);
    Tensor gradient = slopes.mm(s).add_(slopes.t().mm(s));
    gradient.mul_(new Scalar(1 / (LOSS.temperature() * images * images * nodes)));
    Tensor along = gradient.mul(s).sum(new long[] {1}, true, new ScalarTypeOptional());
    gradient.addcmul_(s, along, MINUS_ONE).div_(length);
    Tensor map = gradient.view(images, nodes, -1).transpose(1, 2).contiguous();
    return new Computation.Result(value, map.view_as(student));
  }

  private static Tensor logRows(Tensor unit, long images, long nodes) {
    Tensor likeness = unit.mm(unit.t()).div_(new Scalar(LOSS.temperature()));
    return torch.log_softmax(
        likeness.view(images * nodes, images, nodes), 2, new ScalarTypeOptional());
  }

  /**
   * Cosines of both nets, of which half is computed, (B N)^2 C each, once for the sums of rows and
   * for the gradient again; its product is 2 (B N)^2 C. One exponential serves both rows of a pair.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double pairs = pairs(shape);
    double products = pairs * shape.channels() * (full ? 6 : 2);
    double slots = pairs * Work.EXP * (full ? 2 : 1);
    return new Work(products, 0, slots, 0, (full ? 3 : 2) * Work.F32 * shape.elements());
  }

  private static double pairs(CaseShape shape) {
    double nodes = (double) shape.batch() * shape.nodes();
    return nodes * nodes;
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double products = pairs(shape) * shape.channels();
    double matrix = Work.F32 * pairs(shape);
    double map = Work.F32 * shape.elements();
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(8 * products, 20 * matrix, 6 * matrix + 4 * map);
      case "authors" -> new Effort(8 * products, 24 * matrix, 7 * matrix + 6 * map);
      case "eager-best" -> new Effort(8 * products, 14 * matrix, 3 * matrix + 4 * map);
      // Cosines of one triangle, twice, and packed vectors.
      default -> new Effort(6 * products + 4 * Work.EXP * pairs(shape), 8 * map, 0);
    };
  }
}
