package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.loss.ChannelwiseLoss;
import org.structkd.loss.MapLoss;

/** Channel-wise divergence of the teacher from the student, a mean over channels. */
final class ChannelwiseFormulas implements LossFormulas {
  private static final ChannelwiseLoss LOSS = ChannelwiseLoss.cirkd();
  private static final MapLoss COMPOSED = Computation.on("composed", LOSS::forward);
  private static final double T = LOSS.temperature();

  @Override
  public MapLoss ours(CaseShape shape) {
    return LOSS;
  }

  @Override
  public Contender contender(String provider, CaseShape shape) {
    if (provider.equals("authors")) {
      return new Contender(
          Computation.autograd(ChannelwiseFormulas::authors), COMPOSED, "eager", LOSS);
    }
    Computation timed =
        switch (provider) {
          case "eager", "eager-malloc" -> Computation.autograd(COMPOSED);
          case "eager-best" -> Computation.byHand(ChannelwiseFormulas::best);
          default -> Computation.autograd(LOSS);
        };
    return new Contender(timed, COMPOSED, "eager", LOSS);
  }

  /** d/ds = t (softmax(s/t) - softmax(t/t)) / channels; each buffer is used again. */
  private static Computation.Result best(Tensor student, Tensor teacher, boolean wantGradient) {
    Tensor ours = student.flatten(2, 3).div(new Scalar(T)).log_softmax(2);
    Tensor theirs = teacher.flatten(2, 3).div(new Scalar(T)).log_softmax(2);
    Tensor shares = theirs.exp();
    theirs.sub_(ours);
    double scale = T / channels(student);
    Tensor value = shares.flatten().dot(theirs.flatten()).mul(new Scalar(T * scale));
    if (wantGradient) {
      ours.exp_().sub_(shares).mul_(new Scalar(scale));
    }
    return new Computation.Result(value, ours.view(student.shape()));
  }

  /** CIRKD and MMRazor: the logarithm of the student's softmax. */
  private static Tensor authors(Tensor student, Tensor teacher) {
    Tensor ours = student.flatten(2, 3).div(new Scalar(T)).softmax(2).log();
    Tensor theirs = teacher.flatten(2, 3).div(new Scalar(T)).softmax(2);
    Tensor divergence = theirs.mul(theirs.log().sub(ours)).sum();
    return divergence.mul(new Scalar(T * T / channels(student)));
  }

  private static double channels(Tensor map) {
    return (double) map.size(0) * map.size(1);
  }

  /**
   * Both maps are read once for the sums of a channel and once for its gradient, which is written.
   * Per element 2 maxima, 2 shifts, 2 exponentials, 2 sums, a difference and its product; for the
   * gradient 2 quotients and a difference.
   */
  @Override
  public Work work(CaseShape shape, Pass pass, String plan) {
    boolean full = pass == Pass.FULL;
    double slots = 8 + 2 * Work.EXP + (full ? 3 : 0);
    return new Work(
        0, 0, slots * shape.elements(), 0, (full ? 5 : 2) * Work.F32 * shape.elements());
  }

  @Override
  public Effort effort(String provider, CaseShape shape) {
    double map = Work.F32 * shape.elements();
    return switch (provider) {
      case "eager", "eager-malloc" -> new Effort(0, 23 * map, 7 * map);
      case "eager-best" -> new Effort(0, 18 * map, 6 * map);
      case "authors" -> new Effort(0, 30 * map, 9 * map);
      default -> effortOfLeastWork(shape);
    };
  }
}
