package org.structkd.loss;

import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Decoupled loss (DKD): distillation of how sure the teacher is of the true class, and of how it
 * ranks the others, each with a weight of its own.
 *
 * <pre>{@code
 * L    = t^2 / n sum over the n labelled pixels of alpha TCKD + beta NCKD
 * TCKD = KL(T, S) of the pair (p[y], 1 - p[y])           p = softmax over classes of logits / t
 * NCKD = KL(T, S) of softmax over all classes but y of logits / t
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> in nats times t^2, at least 0; a mean over the pixels with a label. If there
 *       is none: loss 0, gradient 0.
 *   <li><b>Gradient:</b> to the student only; without standardisation its sum over classes is 0.
 *   <li><b>Numbers:</b> 1 - p[y] is computed from the other classes' logits, so that a student that
 *       is sure of the true class loses no digits.
 *   <li><b>NaN:</b> logits of pixels without a label may be NaN.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 * </ul>
 *
 * <p>Source: B. Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022, arXiv 2203.08679; code
 * megvii-research/mdistiller a08d46f. There the weight of the term rises from 0 to 1 within 20
 * epochs: {@code WeightSchedule.warmup}.
 *
 * @param alpha weight of the true class, at least 0
 * @param beta weight of the others, at least 0, not both 0
 * @param temperature t, divisor of all logits, greater than 0
 * @param standardize whether the logits of a pixel are brought to mean 0 and deviation 1 first, see
 *     {@link PixelwiseLoss#standardize}
 */
public record DecoupledLoss(double alpha, double beta, double temperature, boolean standardize)
    implements CountingLoss {
  private static final String NAME = "decoupled loss";

  /** The role of its outputs. */
  public static final String LOGITS = "logits";

  /** The label of pixels without a class where no other is given. */
  private static final long NO_CLASS = -1;

  /** Checks the numbers. */
  public DecoupledLoss {
    Settings.requireAtLeast(NAME, "alpha", alpha, 0);
    Settings.requireAtLeast(NAME, "beta", beta, 0);
    if (alpha == 0 && beta == 0) {
      throw new IllegalArgumentException(
          NAME + ": alpha and beta are 0, expected one of them to be greater");
    }
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /** {@return mdistiller's settings for CIFAR-100: alpha 1, beta 8, temperature 4} */
  public static DecoupledLoss standard() {
    return new DecoupledLoss(1, 8, 4, false);
  }

  /** {@return mdistiller's settings for ImageNet: alpha 1, beta 0.5, temperature 1} */
  public static DecoupledLoss imagenet() {
    return new DecoupledLoss(1, 0.5, 1, false);
  }

  /**
   * {@return what the code of logit standardisation runs by the command of its README: alpha 9,
   * beta 81, temperature 4}
   */
  public static DecoupledLoss standardized() {
    return new DecoupledLoss(9, 81, 4, true);
  }

  @Override
  public Needs needs() {
    List<Needs.Role> logits = List.of(Needs.Role.of(LOGITS, 2, 3, 4));
    return new Needs(logits, logits, Set.of(LossInputs.LABELS), Set.of(), true);
  }

  /** {@inheritDoc} Labelled pixels are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    return measure(
        inputs.student(LOGITS),
        inputs.teacher(LOGITS),
        inputs.target(LossInputs.LABELS),
        inputs.ignoreIndex());
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student logits [B, K, H, W]; or [B, N, K], where each of N positions is a pixel; or [B,
   *     K], where each image is one. f32, f64, f16 or bf16
   * @param teacher logits of the same shape; constant even if it requires grad
   * @param labels integers of any type and of the logits' shape without classes: [B, N], [B], or
   *     [B, H', W'] of any size, resized to the logits by the nearest neighbour
   * @param ignoreIndex label of pixels that take no part; so does -1
   * @return scalar, f64 if either of the logits is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or shapes or devices do not
   *     fit, or K is 1, or K is 2 and only the other classes count, or a label is no class (checked
   *     on the CPU only)
   */
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> measure(student, teacher, labels, OptionalLong.of(ignoreIndex)).loss());
  }

  private LossValue measure(
      Tensor student, Tensor teacher, Tensor targets, OptionalLong ignoreIndex) {
    MapPair maps =
        MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS)
            .requireSameChannels()
            .requireSameSize()
            .inOneType();
    long classes = maps.student().map().size(1);
    ConstantLoss.refuseOneClass(maps.student());
    ConstantLoss.refuseIf(
        alpha == 0 && classes == 2,
        maps.student(),
        "has two classes, so that there is one beside the true one, and alpha is 0; expected 3"
            + " classes or more");
    Labels labels = Labels.of(maps.student(), targets, ignoreIndex.orElse(NO_CLASS));
    labels.requireClasses(classes, "the logits");
    Tensor valid = labels.valid();
    Tensor isTrue = isTrue(labels, classes);
    Parts s = parts(maps.student(), valid, isTrue);
    Parts t = parts(maps.teacher(), valid, isTrue);
    Tensor ofTrue = t.ofTrue.exp().mul(t.ofTrue.sub(s.ofTrue));
    Tensor ofRest = t.ofRest.exp().mul(t.ofRest.sub(s.ofRest));
    Tensor others = t.others.exp().masked_fill(isTrue, new Scalar(0)).mul(t.others.sub(s.others));
    Tensor loss =
        ofTrue.add(ofRest).mul(new Scalar(alpha)).add(others.sum(1).mul(new Scalar(beta)));
    Tensor count = valid.sum();
    Tensor sum = Rows.sumOfAll(loss.masked_fill(valid.logical_not(), new Scalar(0)));
    Tensor mean = sum.div(count.clamp_min(new Scalar(1)));
    return new LossValue(mean.mul(new Scalar(temperature * temperature)), count);
  }

  /** Bool [B, K, H, W]. */
  private static Tensor isTrue(Labels labels, long classes) {
    Tensor ofLabels = labels.classesOr(0).unsqueeze(1);
    return torch
        .arange(new Scalar(classes), ofLabels.options())
        .view(1, classes, 1, 1)
        .eq(ofLabels);
  }

  /**
   * Logarithms of probabilities.
   *
   * @param ofTrue of the true class, [B, H, W]
   * @param ofRest of all others together, [B, H, W]
   * @param others of each class among all but the true one, whose own is not to be read, [B, K, H,
   *     W]
   */
  private record Parts(Tensor ofTrue, Tensor ofRest, Tensor others) {}

  private Parts parts(MapView logits, Tensor valid, Tensor isTrue) {
    Tensor z = logits.map().masked_fill(valid.logical_not().unsqueeze(1), new Scalar(0));
    z = (standardize ? LogitStandardization.of(z) : z).div(new Scalar(temperature));
    Scalar nothing = new Scalar(Double.NEGATIVE_INFINITY);
    Tensor all = z.logsumexp(1);
    Tensor ofOthers = z.masked_fill(isTrue, nothing).logsumexp(1);
    Tensor ofTrue = z.masked_fill(isTrue.logical_not(), new Scalar(0)).sum(1);
    return new Parts(ofTrue.sub(all), ofOthers.sub(all), z.sub(ofOthers.unsqueeze(1)));
  }
}
