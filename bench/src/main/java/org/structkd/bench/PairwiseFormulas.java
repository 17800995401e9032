package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.loss.MapLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.PairwiseLoss.Compare;
import org.structkd.loss.PairwiseLoss.Pairs;
import org.structkd.loss.PairwiseLoss.Precision;

/** Pair-wise loss over all nodes, gradient through the length. */
final class PairwiseFormulas implements LossFormulas {
  private static final PairwiseLoss LOSS = PairwiseLoss.skdCvpr19();
  private static final Scalar ONE = new Scalar(1.0).retainReference();
  private static final Scalar MINUS_ONE = new Scalar(-1.0).retainReference();

  @Override
  public PairwiseLoss ours(CaseShape shape) {
    PairwiseLoss loss =
        switch (shape.mode()) {
          case "" -> LOSS;
          case "l1" -> LOSS.withCompare(Compare.L1);
          default -> throw shape.unknownMode();
        };
    return shape.wholeBatch() ? loss.withPairs(Pairs.WHOLE_BATCH) : loss;
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    boolean whole = shape.wholeBatch();
    PairwiseLoss ours = ours(shape);
    boolean absolute = ours.compare() == Compare.L1;
    MapLoss truth =
        absolute
            ? Computation.on("composed", ours)
            : (student, teacher) -> gram(rows(student, whole), rows(teacher, whole), false);
    Computation timed =
        switch (provider) {
          case "eager", "eager-malloc" -> Computation.autograd(Computation.on("composed", ours));
          case "eager-best" ->
              Computation.byHand((s, t, wantGradient) -> best(s, t, absolute, whole, wantGradient));
          case "eager-gram" ->
              Computation.byHand((s, t, wantGradient) -> gramByHand(s, t, whole, wantGradient));
          case "structkd-fast" -> Computation.autograd(ours.withPrecision(Precision.FAST));
          default -> Computation.autograd(ours);
        };
    if (provider.equals("authors")) {
      return new Contender(
          Computation.autograd(
              (student, teacher) -> authors(rows(student, whole), rows(teacher, whole))),
          (student, teacher) -> gram(rows(student, whole), rows(teacher, whole), true),
          "detached");
    }
    return new Contender(timed, truth, absolute ? "absolute" : "gram");
  }

  /** [B, C, N], or [1, C, B N] where pairs span the batch. */
  private static Tensor rows(Tensor map, boolean wholeBatch) {
    return wholeBatch ? map.transpose(0, 1).reshape(1, map.size(1), -1) : map.flatten(2, 3);
  }

  private static Tensor unitRows(Tensor rows) {
    return rows.div(length(rows).clamp_min(new Scalar(1e-12)));
  }

  private static Tensor length(Tensor rows) {
    return rows.norm(new ScalarOptional(new Scalar(2)), new long[] {1}, true);
  }

  /** SKD: the length is detached, the square is divided before it is summed. */
  private static Tensor authors(Tensor student, Tensor teacher) {
    double nodes = student.size(2);
    return authorsAffinities(teacher)
        .sub(authorsAffinities(student))
        .square()
        .div(new Scalar(nodes * nodes))
        .div(new Scalar((double) student.size(0)))
        .sum();
  }

  private static Tensor authorsAffinities(Tensor rows) {
    Tensor unit = detachedUnitRows(rows);
    return torch.bmm(unit.transpose(1, 2), unit);
  }

  private static Tensor detachedUnitRows(Tensor rows) {
    return rows.div(
        rows.square().sum(new long[] {1}, true, noType()).sqrt().add(new Scalar(1e-8)).detach());
  }

  private static ScalarTypeOptional noType() {
    return new ScalarTypeOptional();
  }

  /** By C x C matrices: |S'S|^2 - 2 |S'T|^2 + |T'T|^2. In f64 it is the truth at any size. */
  private static Tensor gram(Tensor student, Tensor teacher, boolean detached) {
    Tensor s = detached ? detachedUnitRows(student) : unitRows(student);
    Tensor t = detached ? detachedUnitRows(teacher) : unitRows(teacher);
    return squared(s, s)
        .sub(squared(s, t).mul(new Scalar(2)))
        .add(squared(t, t))
        .div(new Scalar(divisor(s)));
  }

  private static Tensor squared(Tensor a, Tensor b) {
    return torch.bmm(a, b.transpose(1, 2)).square().sum();
  }

  private static double divisor(Tensor rows) {
    return (double) rows.size(0) * rows.size(2) * rows.size(2);
  }

  /**
   * One N x N matrix: A = S'S - T'T, value |A|^2, d/dS = 4 S A, then through the length. Of
   * absolute values the signs of A, and 2.
   */
  private static Computation.Result best(
      Tensor student, Tensor teacher, boolean absolute, boolean wholeBatch, boolean wantGradient) {
    Tensor rows = rows(student, wholeBatch);
    Tensor length = length(rows).clamp_min_(new Scalar(1e-12));
    Tensor unit = rows.div(length);
    Tensor other = unitRows(rows(teacher, wholeBatch));
    Tensor gaps = torch.bmm(unit.transpose(1, 2), unit);
    gaps.baddbmm_(other.transpose(1, 2), other, ONE, MINUS_ONE);
    double divisor = divisor(rows);
    // Row by row: LibTorch's f32 norm of billions of entries at once is wrong by half.
    Tensor ofRows =
        gaps.norm(new ScalarOptional(new Scalar(absolute ? 1 : 2)), new long[] {2}, false);
    Tensor value = (absolute ? ofRows : ofRows.square()).sum().div(new Scalar(divisor));
    if (!wantGradient) {
      return new Computation.Result(value, null);
    }
    Tensor slopes = absolute ? gaps.sign_() : gaps;
    Tensor gradient = torch.bmm(unit, slopes).mul_(new Scalar((absolute ? 2 : 4) / divisor));
    return new Computation.Result(
        value, throughLength(gradient, unit, length, student, wholeBatch));
  }

  /**
   * The Gram identity in f64, which keeps its cancellation harmless: d/dS = 4 (P_SS S - P_ST T).
   */
  private static Computation.Result gramByHand(
      Tensor student, Tensor teacher, boolean wholeBatch, boolean wantGradient) {
    Tensor rows = rows(student, wholeBatch).to(ScalarType.Double);
    Tensor length = length(rows).clamp_min_(new Scalar(1e-12));
    Tensor s = rows.div(length);
    Tensor t = unitRows(rows(teacher, wholeBatch).to(ScalarType.Double));
    Tensor own = torch.bmm(s, s.transpose(1, 2));
    Tensor cross = torch.bmm(s, t.transpose(1, 2));
    Tensor theirs = torch.bmm(t, t.transpose(1, 2));
    double divisor = divisor(rows);
    Tensor value =
        own.norm()
            .square()
            .sub(cross.norm().square().mul(new Scalar(2)))
            .add(theirs.norm().square())
            .div(new Scalar(divisor));
    if (!wantGradient) {
      return new Computation.Result(value, null);
    }
    Tensor gradient = torch.bmm(own, s);
    gradient.baddbmm_(cross, t, ONE, MINUS_ONE).mul_(new Scalar(4 / divisor));
    return new Computation.Result(
        value, throughLength(gradient, s, length, student, wholeBatch).to(student.scalar_type()));
  }

  /** (g - (g.s) s) / length, in place, in the layout of the student's map. */
  private static Tensor throughLength(
      Tensor gradient, Tensor unit, Tensor length, Tensor student, boolean wholeBatch) {
    Tensor along = gradient.mul(unit).sum(new long[] {1}, true, noType());
    gradient.addcmul_(unit, along, MINUS_ONE).div_(length);
    return wholeBatch
        ? gradient.view(student.size(1), student.size(0), -1).transpose(0, 1).contiguous()
        : gradient;
  }

  /**
   * By C x C matrices, of B groups of N nodes: S'S and T'T, of which half is computed, N C^2 each,
   * and T'S, 2 N C^2; the gradient 4 N C^2. By N x N tiles: half of S'S and T'T, N^2 C each; the
   * gradient is one product of the gaps with S, 2 N^2 C. Without a plan the cheaper way in f32.
   * Both maps are read twice, for the lengths and for the products, and the gradient is written.
   * Absolute values go by tiles; where gaps are used at once, all of S'S and T'T.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double elements = shape.elements();
    double gram = elements * shape.channels() * (full ? 8 : 4);
    double tile = elements * nodes(shape) * (full ? 4 : 2);
    double products =
        plan.contains("gram")
            ? gram
            : plan.contains("tile") || !shape.mode().isEmpty() ? tile : Math.min(gram, tile);
    boolean wide = plan.contains("f64");
    return new Work(
        wide ? 0 : products, wide ? products : 0, 0, 0, (full ? 5 : 4) * Work.F32 * elements);
  }

  /** N of one group. */
  private static double nodes(CaseShape shape) {
    return shape.wholeBatch() ? shape.batch() * shape.nodes() : shape.nodes();
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double products = shape.elements() * nodes(shape); // N^2 C
    double matrix = Work.F32 * shape.batch() * shape.nodes() * nodes(shape);
    double map = Work.F32 * shape.elements();
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(8 * products, 13 * matrix, 3 * matrix + 4 * map);
      case "authors" -> new Effort(8 * products, 20 * matrix, 6 * matrix + 6 * map);
      case "eager-best" -> new Effort(6 * products, 4 * matrix, matrix + 4 * map);
      case "eager-gram" ->
          new Effort(2 * 10 * shape.elements() * shape.channels(), 30 * map, 10 * map);
      default -> effortOfLeastWork(shape);
    };
  }
}
