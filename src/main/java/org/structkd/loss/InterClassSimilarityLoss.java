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
import org.structkd.internal.Words;

/**
 * Inter-class similarity loss (ICSD): makes the student's classes as similar to each other as the
 * teacher's are.
 *
 * <pre>{@code
 * L        = mean over images of 1/K^2 sum_ij (M_S[i,j] - M_T[i,j])^2
 * M[i,j]   = KL(p_i, p_j) = sum_x p_i(x) (log p_i(x) - log p_j(x))
 * p_i      = softmax over the pixels x of channel i of logits / temperature
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> squared nats, 0 when the matrices agree, unbounded: divergences of full-size
 *       maps reach 10 and more. With {@code rowNormalize} no unit and at most 4/K. Usual weights
 *       differ by orders of magnitude between the variants. No square of the temperature.
 *   <li><b>Gradient:</b> to the student only; the teacher is constant even if it requires grad.
 *   <li><b>Degenerate input:</b> a channel that is constant over the pixels has a uniform p. A mask
 *       of one pixel or none: loss 0, gradient 0.
 *   <li><b>Memory:</b> O(K^2) beside the gradient in {@link Mode#PAPER}, at any map size; the other
 *       modes hold several maps.
 *   <li><b>Threads:</b> immutable, may be shared. In {@link Mode#PAPER} equal inputs give equal
 *       bits, whatever the number of LibTorch threads.
 *   <li><b>NaN:</b> a NaN or an infinity among the logits gives a NaN loss.
 * </ul>
 *
 * <p>Source: A. M. Mansourian, R. Ahmadi, S. Kasaei, "AICSD: Adaptive Inter-Class Similarity
 * Distillation for Semantic Segmentation", 2023. Its code never computed this formula:
 * docs/methods/inter_class_similarity.md says what it did, and {@link Mode} offers that too.
 *
 * <p>Its variants differ in value by orders of magnitude: start from a preset.
 *
 * @param mode which formula
 * @param temperature divides the logits; finite, greater than 0
 * @param rowNormalize whether each row of a matrix is divided by max(its length, 1e-12)
 */
public record InterClassSimilarityLoss(Mode mode, double temperature, boolean rowNormalize)
    implements MapLoss {
  private static final String NAME = "inter-class similarity loss";

  /** Which formula: the published one, or that of a revision of AICSD's code. */
  public enum Mode {
    /** The formula above, one matrix per image. */
    PAPER,
    /**
     * Revision f99949e: softmax over the height of each column only, probabilities where the
     * divergence expects their logarithms, one matrix for the whole batch, divided by B again.
     */
    CODE_HEAD,
    /** Revision 7bb3cfa, March 2023: softmax over the map, all K x K entries, not divided by B. */
    CODE_2023_03,
    /** Revision c97743b: softmax over the map, otherwise as {@link #CODE_HEAD}. */
    CODE_HW_SYM
  }

  /** Checks that the variant is complete. */
  public InterClassSimilarityLoss {
    Settings.requireGiven(NAME, "mode", mode);
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /** The published formula: temperature 1, rows as they are. */
  public static InterClassSimilarityLoss paper() {
    return new InterClassSimilarityLoss(Mode.PAPER, 1.0, false);
  }

  /**
   * AICSD, released code at revision f99949e, for any number of classes instead of 21. Its loss
   * weight is 9500 (README; the value itself is near 1e-4).
   */
  public static InterClassSimilarityLoss aicsdReleased() {
    return new InterClassSimilarityLoss(Mode.CODE_HEAD, 1.0, true);
  }

  /** AICSD, revision 7bb3cfa of March 2023: rows as they are. */
  public static InterClassSimilarityLoss aicsdMarch2023() {
    return new InterClassSimilarityLoss(Mode.CODE_2023_03, 1.0, false);
  }

  /** AICSD, side branch at revision c97743b: unit rows. */
  public static InterClassSimilarityLoss aicsdWholeMap() {
    return new InterClassSimilarityLoss(Mode.CODE_HW_SYM, 1.0, true);
  }

  /** The same loss with another temperature. */
  public InterClassSimilarityLoss withTemperature(double temperature) {
    return Settings.with(this, "temperature", temperature);
  }

  /** The same loss with or without unit rows. */
  public InterClassSimilarityLoss withRowNormalize(boolean rowNormalize) {
    return Settings.with(this, "rowNormalize", rowNormalize);
  }

  /** {@inheritDoc} The modes of the code have one matrix for the whole batch. */
  @Override
  public OverExamples overExamples() {
    return mode == Mode.PAPER ? OverExamples.MEAN : OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of("logits", 3, 4), mode == Mode.PAPER);
  }

  /**
   * Computes the loss of one batch over all its pixels.
   *
   * @param student logits [B, K, H, W]; or [B, N, K], where each of N positions is a pixel. f32,
   *     f64, f16 or bf16
   * @param teacher logits of the same shape, same device; the dtype may differ (the wider one is
   *     used, the gradient comes back in the student's)
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, rank, size, dtype or device
   *     do not fit, or the loss would be constant: K = 1 (but in CODE_2023_03), K = 2 with unit
   *     rows in PAPER, one pixel, or one row in CODE_HEAD
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return forward(student, teacher, null);
  }

  /**
   * The same over valid pixels only: the softmax runs over them, ignored ones get gradient 0. An
   * image without any is left out of the mean; if there is none at all, the loss is 0.
   *
   * @param student logits as above
   * @param teacher logits of the same shape
   * @param mask bool or u8 [B, H, W], or [B, N] of tokens, 0 = ignored; null: all pixels count
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above, and for a mask in a mode other than PAPER
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(Tensor student, Tensor teacher, @Nullable Tensor mask) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(student, teacher);
          if (mask != null) {
            requireMaskable();
          }
          return call(maps, maps.student().mask(mask));
        });
  }

  /**
   * The same over the labelled pixels: those whose label is the ignore index or -1 are not valid.
   *
   * @param student logits as above
   * @param teacher logits of the same shape
   * @param labels integers [B, N] of tokens, or [B, H', W'] of any size, resized to the logits by
   *     the nearest neighbour
   * @param ignoreIndex the label of pixels that are not valid, usually 255
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(student, teacher);
          requireMaskable();
          return call(maps, Labels.of(maps.student(), labels, ignoreIndex).valid());
        });
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS)
        .requireSameChannels()
        .requireSameSize();
  }

  private Tensor call(MapPair maps, @Nullable Tensor mask) {
    refuseConstant(maps.student());
    return Operator.call(
        "inter_class_similarity",
        maps.student().map(),
        maps.teacher().map(),
        mask,
        mode,
        temperature,
        rowNormalize);
  }

  private void refuseConstant(MapView student) {
    // The diagonal of PAPER is 0, so a unit row of two classes has one entry, which is 1. The other
    // modes have a diagonal.
    long least = (mode == Mode.PAPER ? 2 : 1) + (rowNormalize ? 1 : 0);
    ConstantLoss.refuseIf(
        student.map().size(1) < least,
        student,
        "has too few channels: mode %s%s compares %s classes or more"
            .formatted(mode, rowNormalize ? " with rowNormalize" : "", least));
    boolean columns = mode == Mode.CODE_HEAD;
    ConstantLoss.refuseIf(
        student.map().size(2) * (columns ? 1 : student.map().size(3)) == 1,
        student,
        "has one "
            + (columns ? "row" : "pixel")
            + ", and the distribution of a class over it never changes; expected a larger map");
  }

  private void requireMaskable() {
    if (mode != Mode.PAPER) {
      throw new IllegalArgumentException(
          NAME
              + ": mode "
              + Words.of(mode)
              + " takes no mask, the code that it reproduces counts every pixel: use mode paper");
    }
  }
}
