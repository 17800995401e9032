package org.structkd.bench;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.loss.FeatureLoss;
import org.structkd.loss.PixelwiseLoss;

/** Pixel-wise divergence of the teacher from the student, a mean over pixels. */
public class PixelwiseLossBenchmark extends LossBenchmark {
  private static final PixelwiseLoss LOSS = new PixelwiseLoss(PixelwiseLoss.Config.kd(1));
  private static final long SUM = 2; // the reduction as operators number it

  @Override
  LossCase newCase(String provider, CaseShape shape) {
    FeatureLoss timed = provider.equals("eager") ? PixelwiseLossBenchmark::eager : LOSS;
    return new LossCase(shape.logits(), timed, LOSS);
  }

  private static Tensor eager(Tensor student, Tensor teacher) {
    long pixels = student.size(0) * student.size(2) * student.size(3);
    return torch
        .kl_div(student.log_softmax(1), teacher.softmax(1), SUM, false)
        .div(new Scalar((double) pixels));
  }
}
