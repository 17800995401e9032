package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * DIST: the student's probabilities shall correlate with the teacher's, between the classes of each
 * pixel and between the pixels of each class, whatever their scale.
 *
 * <pre>{@code
 * L      = t^2 (interWeight (1 - mean over pixels of r(p_S[x], p_T[x]))
 *               + intraWeight (1 - mean over classes of r(p_S[k], p_T[k])))
 * p      = softmax over classes of logits / t            p[k] runs over all pixels of the batch
 * r(a,b) = <a - mean a, b - mean b> / (|a - mean a| |b - mean b| + 1e-8)        Pearson
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, from 0 (but for the 1e-8) to twice t^2 times the sum of the weights.
 *   <li><b>Gradient:</b> to the student only. A pixel or class whose probabilities are all equal
 *       correlates with nothing and has gradient 0 of that part; where they are nearly equal the
 *       gradient is large, up to 1e8.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 * </ul>
 *
 * <p>Source: T. Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022, arXiv
 * 2205.10536; code hunto/DIST_KD 2418f18.
 *
 * @param interWeight of the correlation between classes, at least 0: beta in the code
 * @param intraWeight of the correlation between pixels, at least 0, not both 0: gamma in the code
 * @param temperature t, divisor of all logits, greater than 0
 */
public record DistLoss(double interWeight, double intraWeight, double temperature)
    implements MapLoss {
  private static final String NAME = "DIST loss";

  /** The role of its outputs. */
  public static final String LOGITS = "logits";

  /** What is added to the product of two lengths. */
  private static final double EPS = 1e-8;

  /** Checks the numbers. */
  public DistLoss {
    Settings.requireAtLeast(NAME, "interWeight", interWeight, 0);
    Settings.requireAtLeast(NAME, "intraWeight", intraWeight, 0);
    if (interWeight == 0 && intraWeight == 0) {
      throw new IllegalArgumentException(
          NAME + ": interWeight and intraWeight are 0, expected one of them to be greater");
    }
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /** {@return the released form: both weights 1, temperature 1} */
  public static DistLoss standard() {
    return new DistLoss(1, 1, 1);
  }

  /** {@inheritDoc} A class's scores are compared over the batch. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(LOGITS, 2, 3, 4), false);
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student logits [B, K, H, W]; or [B, N, K], where each of N positions is a pixel; or [B,
   *     K], where each image is one. f32, f64, f16 or bf16
   * @param teacher logits of the same shape; constant even if it requires grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or shapes or devices do not
   *     fit, or K is 1, or there is one pixel and only the correlation between pixels counts
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair maps =
              MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS)
                  .requireSameChannels()
                  .requireSameSize()
                  .inOneType();
          ConstantLoss.refuseOneClass(maps.student());
          ConstantLoss.refuseIf(
              interWeight == 0 && maps.student().positions() == 1,
              maps.student(),
              "has one pixel, which correlates with no other, and interWeight is 0; expected more");
          Tensor s = probabilities(maps.student());
          Tensor t = probabilities(maps.teacher());
          Tensor inter = distance(s, t).mul(new Scalar(interWeight));
          Tensor intra = distance(s.t(), t.t()).mul(new Scalar(intraWeight));
          return inter.add(intra).mul(new Scalar(temperature * temperature));
        });
  }

  /** [pixels, K]. */
  private Tensor probabilities(MapView logits) {
    Tensor map = logits.map().div(new Scalar(temperature));
    return torch.softmax(map, 1).permute(0, 2, 3, 1).flatten(0, 2);
  }

  /** 1 - the mean over rows of the correlation of two rows. */
  private static Tensor distance(Tensor student, Tensor teacher) {
    Tensor s = Rows.centered(student);
    Tensor t = Rows.centered(teacher);
    Tensor length = Rows.lengths(s);
    Tensor correlations =
        Rows.sum(s.mul(t))
            .div(length.mul(Rows.lengths(t)).add(new Scalar(EPS)))
            .masked_fill(length.eq(new Scalar(0)), new Scalar(0));
    return Rows.meanOfAll(correlations).neg().add(new Scalar(1));
  }
}
