package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Operator;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Pixel-wise loss: pulls the student's class probabilities at each pixel towards the teacher's.
 *
 * <pre>{@code
 * L   = t^2 / divisor * sum over pixels of D(q_S, q_T)      t^2: temperature^2 or 1
 * q   = softmax over classes of logits / temperature        D: the divergence
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> at least 0, in nats (per class with {@link Divisor#ELEMENTS}); 0 when the
 *       distributions agree, except for the cross entropy, which then is the teacher's entropy.
 *   <li><b>Gradient:</b> to the student only; the teacher is constant even if it requires grad.
 *       {@code q_S - q_T}, or {@code q_S (log q_S - log q_T - D)} with the student in front, times
 *       t^2 / (divisor temperature). A pixel that is not valid has gradient 0.
 *   <li><b>Memory:</b> nothing beside the gradient that grows with the map.
 *   <li><b>Precision:</b> relative, however close student and teacher are.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 *   <li><b>NaN:</b> a NaN among the logits of a valid pixel gives a NaN loss. A class at minus
 *       infinity has probability 0.
 * </ul>
 *
 * <p>Source: Y. Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR
 * 2019, arXiv 1903.04197, section 3.1, and G. Hinton et al., arXiv 1503.02531. Where paper and
 * codes differ, docs/methods/pixelwise.md says how and why.
 *
 * <p>Its variants differ in value, gradient and usual weight: start from a preset.
 *
 * @param divergence how the distributions of a pixel are compared
 * @param divisor what the sum over pixels is divided by
 * @param temperature divisor of all logits, greater than 0
 * @param temperatureSquared whether value and gradient are multiplied by temperature^2, so that the
 *     gradient keeps its size as the temperature rises
 * @param standardize whether the logits of a pixel are brought to mean 0 and deviation 1 first, so
 *     that the student is asked for the teacher's order of classes and not for its scale: {@code (z
 *     - mean z) / (deviation of z + 1e-7)}, the deviation of K - 1. The gradient flows through
 *     both. LibTorch's operators do it, which takes some copies of the map
 */
public record PixelwiseLoss(
    Divergence divergence,
    Divisor divisor,
    double temperature,
    boolean temperatureSquared,
    boolean standardize)
    implements MapLoss {
  private static final String NAME = "pixel-wise loss";

  /** How two class distributions of a pixel are compared; q = softmax(logits / temperature). */
  public enum Divergence {
    /**
     * {@code -sum q_T log q_S}: {@link #KL_TEACHER_STUDENT} plus the entropy of the teacher, so
     * that it does not reach 0. The gradients of the two are equal.
     */
    CROSS_ENTROPY,
    /** {@code sum q_T (log q_T - log q_S)}. */
    KL_TEACHER_STUDENT,
    /** {@code sum q_S (log q_S - log q_T)}. */
    KL_STUDENT_TEACHER
  }

  /**
   * By what a sum over all pixels of a batch is divided; B images of H x W pixels and K classes.
   * With a mask the number V of valid pixels takes the place of B H W.
   */
  public enum Divisor {
    /** H W, or V / B: the loss is a sum over images and grows with the batch. */
    PIXELS_PER_IMAGE,
    /** B H W, or V: a mean over pixels. */
    PIXELS,
    /** B K H W, or K V: K times smaller than the mean over pixels. */
    ELEMENTS
  }

  /** Checks that the variant is complete. */
  public PixelwiseLoss {
    Settings.requireGiven(NAME, "divergence", divergence);
    Settings.requireGiven(NAME, "divisor", divisor);
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /** A variant of logits as they are. */
  public PixelwiseLoss(
      Divergence divergence, Divisor divisor, double temperature, boolean temperatureSquared) {
    this(divergence, divisor, temperature, temperatureSquared, false);
  }

  /**
   * SKD, released code at revision ce208e1: cross entropy, summed over the images of the batch and
   * divided by the pixels of one. Its loss weight there is 10.
   */
  public static PixelwiseLoss skd() {
    return new PixelwiseLoss(Divergence.CROSS_ENTROPY, Divisor.PIXELS_PER_IMAGE, 1, false);
  }

  /** SKD as its paper writes it: the student in front of the KL, a mean over pixels. */
  public static PixelwiseLoss skdPaper() {
    return new PixelwiseLoss(Divergence.KL_STUDENT_TEACHER, Divisor.PIXELS, 1, false);
  }

  /**
   * Hinton's distillation per pixel, as CIRKD has it at revision dab64db: KL with the teacher in
   * front, a mean over pixels, times temperature^2; temperature 1. Its loss weight there is 1.
   * Classifiers often use {@code kd().withTemperature(4)}.
   */
  public static PixelwiseLoss kd() {
    return new PixelwiseLoss(Divergence.KL_TEACHER_STUDENT, Divisor.PIXELS, 1, true);
  }

  /**
   * AICSD at revision f99949e: KL with the teacher in front, divided by the number of logits and
   * not of pixels, so K times smaller than {@link #kd}.
   */
  public static PixelwiseLoss aicsd() {
    return new PixelwiseLoss(Divergence.KL_TEACHER_STUDENT, Divisor.ELEMENTS, 1, false);
  }

  /**
   * Logit standardisation (S. Sun et al., CVPR 2024, arXiv 2403.01427): {@link #kd} of standardised
   * logits at temperature 2. Its loss weight there is 9.
   */
  public static PixelwiseLoss standardized() {
    return kd().withTemperature(2).withStandardize(true);
  }

  /** The same loss with another divergence. */
  public PixelwiseLoss withDivergence(Divergence divergence) {
    return Settings.with(this, "divergence", divergence);
  }

  /** The same loss with another divisor. */
  public PixelwiseLoss withDivisor(Divisor divisor) {
    return Settings.with(this, "divisor", divisor);
  }

  /** The same loss at another temperature. */
  public PixelwiseLoss withTemperature(double temperature) {
    return Settings.with(this, "temperature", temperature);
  }

  /** The same loss with or without the factor temperature^2. */
  public PixelwiseLoss withTemperatureSquared(boolean temperatureSquared) {
    return Settings.with(this, "temperatureSquared", temperatureSquared);
  }

  /** The same loss with or without standardised logits. */
  public PixelwiseLoss withStandardize(boolean standardize) {
    return Settings.with(this, "standardize", standardize);
  }

  /** {@inheritDoc} {@link Divisor#PIXELS_PER_IMAGE} sums over images. */
  @Override
  public OverExamples overExamples() {
    return divisor == Divisor.PIXELS_PER_IMAGE ? OverExamples.SUM : OverExamples.MEAN;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of("logits", 2, 3, 4), true);
  }

  /**
   * Computes the loss of one batch over all pixels.
   *
   * @param student logits [B, K, H, W]; or [B, N, K], where each of N positions is a pixel, such as
   *     the words of a sequence; or [B, K], where each image is one. f32, f64, f16 or bf16
   * @param teacher logits of the same shape, same device; the dtype may differ (the wider dtype is
   *     used, the gradient comes back in the student's)
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, rank, size, dtype or device
   *     do not fit, or K is 1: a softmax over one class never changes
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return forward(student, teacher, null);
  }

  /**
   * The same over some pixels only.
   *
   * @param student logits as above
   * @param teacher logits of the same shape
   * @param mask bool or u8 of the logits' shape without classes: [B, H, W], [B, N] or [B]; true
   *     where a pixel takes part; null: all do. Where it is false, the gradient is 0 and the pixel
   *     is not counted. Without any, the loss is 0
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(Tensor student, Tensor teacher, @Nullable Tensor mask) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(student, teacher);
          return call(maps, maps.student().mask(mask));
        });
  }

  /**
   * The same over the labelled pixels: no loss where the label is the ignore index or -1.
   *
   * @param student logits as above
   * @param teacher logits of the same shape
   * @param labels integers of the logits' shape without classes: [B, N], [B], or [B, H', W'] of any
   *     size, such as the image's, resized to the logits by the nearest neighbour
   * @param ignoreIndex the label of pixels that take no part, usually 255
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(student, teacher);
          return call(maps, Labels.of(maps.student(), labels, ignoreIndex).valid());
        });
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS)
        .requireSameChannels()
        .requireSameSize();
  }

  private Tensor call(MapPair given, @Nullable Tensor mask) {
    ConstantLoss.refuseOneClass(given.student());
    MapPair maps = standardize ? LogitStandardization.of(given, mask) : given;
    return Operator.call(
        "pixelwise",
        maps.student().map(),
        maps.teacher().map(),
        mask,
        divergence,
        divisor,
        temperature,
        temperatureSquared);
  }
}
