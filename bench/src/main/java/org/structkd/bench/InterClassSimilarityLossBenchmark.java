package org.structkd.bench;

import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.FeatureLoss;
import org.structkd.loss.InterClassSimilarityLoss;
import org.structkd.loss.Precision;

/** Inter-class similarity loss as published, without a loop over pairs of classes. */
public class InterClassSimilarityLossBenchmark extends LossBenchmark {
  private static final InterClassSimilarityLoss LOSS =
      new InterClassSimilarityLoss(InterClassSimilarityLoss.Config.paper());
  private static final InterClassSimilarityLoss FAST =
      new InterClassSimilarityLoss(LOSS.config().withPrecision(Precision.FAST));

  @Override
  LossCase newCase(String provider, CaseShape shape) {
    FeatureLoss timed =
        switch (provider) {
          case "eager" -> InterClassSimilarityLossBenchmark::eager;
          case "structkd-fast" -> FAST;
          default -> LOSS;
        };
    return new LossCase(shape.logits(), timed, LOSS);
  }

  private static Tensor eager(Tensor student, Tensor teacher) {
    return torch.mse_loss(divergences(student), divergences(teacher));
  }

  /** KL(p_i, p_j) for all pairs of classes: sum p_i log p_i - sum p_i log p_j. */
  private static Tensor divergences(Tensor map) {
    Tensor logs = map.flatten(2, 3).log_softmax(2);
    Tensor shares = logs.exp();
    Tensor own = shares.mul(logs).sum(new long[] {2}, true, new ScalarTypeOptional());
    return own.sub(torch.bmm(shares, logs.transpose(1, 2)));
  }
}
