package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.loss.MapLoss;
import org.structkd.loss.PixelwiseLoss;

/** Pixel-wise divergence of the teacher from the student, a mean over pixels. */
final class PixelwiseFormulas implements LossFormulas {
  private static final PixelwiseLoss LOSS = PixelwiseLoss.kd();
  private static final MapLoss COMPOSED = Computation.on("composed", LOSS::forward);

  @Override
  public MapLoss ours(CaseShape shape) {
    return LOSS;
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    if (provider.equals("authors")) {
      return new Contender(
          Computation.autograd(PixelwiseFormulas::authors), PixelwiseFormulas::authors, "authors");
    }
    Computation timed =
        switch (provider) {
          case "eager", "eager-malloc" -> Computation.autograd(COMPOSED);
          case "eager-best" -> Computation.byHand(PixelwiseFormulas::best);
          default -> Computation.autograd(LOSS);
        };
    return new Contender(timed, COMPOSED, "eager", LOSS);
  }

  /** d/ds = (softmax(s) - softmax(t)) / pixels; each buffer is used again. */
  private static Computation.Result best(Tensor student, Tensor teacher, boolean wantGradient) {
    Tensor ours = student.log_softmax(1);
    Tensor theirs = teacher.log_softmax(1);
    Tensor shares = theirs.exp();
    theirs.sub_(ours);
    Tensor value = shares.flatten().dot(theirs.flatten()).div(new Scalar(pixels(student)));
    if (wantGradient) {
      ours.exp_().sub_(shares).div_(new Scalar(pixels(student)));
    }
    return new Computation.Result(value, ours);
  }

  /** SKD: cross entropy over rows of classes, divided by the size of the map alone. */
  private static Tensor authors(Tensor student, Tensor teacher) {
    Tensor products = rows(teacher).softmax(1).neg().mul(rows(student).log_softmax(1));
    return products
        .sum()
        .div(new Scalar((double) student.size(3)))
        .div(new Scalar((double) student.size(2)));
  }

  private static Tensor rows(Tensor map) {
    return map.permute(0, 2, 3, 1).contiguous().view(-1, map.size(1));
  }

  private static double pixels(Tensor map) {
    return (double) map.size(0) * map.size(2) * map.size(3);
  }

  /**
   * Both maps are read once, the gradient is written. Per element 2 maxima, 2 shifts, 2
   * exponentials, 2 sums, a difference and its product; for the gradient 2 quotients and a
   * difference.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double slots = 8 + 2 * Work.EXP + (full ? 3 : 0);
    return new Work(
        0, 0, slots * shape.elements(), 0, (full ? 3 : 2) * Work.F32 * shape.elements());
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double map = Work.F32 * shape.elements();
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(0, 19 * map, 5 * map);
      case "eager-best" -> new Effort(0, 14 * map, 4 * map);
      case "authors" -> new Effort(0, 28 * map, 8 * map);
      default -> effortOfLeastWork(shape);
    };
  }
}
