package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.FeatureLoss;
import org.structkd.loss.PairwiseLoss;
import org.structkd.loss.Precision;

/** Pair-wise loss over all nodes, gradient through the length. */
public class PairwiseLossBenchmark extends LossBenchmark {
  private static final PairwiseLoss LOSS = new PairwiseLoss(PairwiseLoss.Config.skdCvpr19());
  private static final PairwiseLoss FAST =
      new PairwiseLoss(LOSS.config().withPrecision(Precision.FAST));

  @Override
  LossCase newCase(String provider, CaseShape shape) {
    FeatureLoss timed =
        switch (provider) {
          case "eager" -> PairwiseLossBenchmark::eager;
          case "structkd-fast" -> FAST;
          default -> LOSS;
        };
    return new LossCase(shape.features(), timed, LOSS);
  }

  private static Tensor eager(Tensor student, Tensor teacher) {
    return torch.mse_loss(affinities(student), affinities(teacher));
  }

  private static Tensor affinities(Tensor map) {
    Tensor rows = map.flatten(2, 3);
    Tensor length = rows.norm(new ScalarOptional(new Scalar(2)), new long[] {1}, true);
    Tensor unit = rows.div(length.clamp_min(new Scalar(1e-12)));
    return torch.bmm(unit.transpose(1, 2), unit);
  }
}
