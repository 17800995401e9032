package org.structkd.loss;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;

/**
 * Pearson loss (PKD): each channel of the student shall correlate with the teacher's, whatever its
 * mean and scale.
 *
 * <pre>{@code
 * L  = sum over layers of 1/2 mean over all elements of (n_S - n_T)^2
 * n  = (f - mean) / (deviation + 1e-6) of each channel over all images and positions
 * }</pre>
 *
 * <p>Of M images and positions together this is (1 - r)(M - 1) / M, r the mean over channels of
 * Pearson's correlation. A student's map of another height or width is resized to the teacher's,
 * bilinear with corners not aligned.
 *
 * <ul>
 *   <li><b>Value:</b> no unit, 0 to 2 for each layer.
 *   <li><b>Gradient:</b> to the student only, also through mean and deviation, which divides by M -
 *       1. A channel of equal values is 0; its gradient is multiplied by up to 1e6.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 * </ul>
 *
 * <p>Source: W. Cao et al., "PKD: General Distillation Framework for Object Detectors via Pearson
 * Correlation Coefficient", NeurIPS 2022, arXiv 2207.02039; code open-mmlab/mmrazor 90c7af1, {@code
 * pkd_loss.py}.
 */
public record PearsonLoss() implements MapLoss {
  private static final String NAME = "Pearson loss";

  /** The role of its layers. */
  public static final String FEATURES = "features";

  private static final double EPS = 1e-6;

  /** {@return the loss as mmrazor has it: it has no settings} */
  public static PearsonLoss mmrazor() {
    return new PearsonLoss();
  }

  /** {@inheritDoc} Channels are standardised over the batch. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.several(FEATURES, 2, 3, 4), false);
  }

  /** {@inheritDoc} The sum over layers. */
  @Override
  public LossValue measure(LossInputs inputs) {
    return LayerInputs.sum(NAME, inputs, FEATURES, MapLoss.super::measure);
  }

  /**
   * Computes the loss of one layer.
   *
   * @param student map [B, C, H, W], tokens [B, N, C] or vectors [B, C]; f32, f64, f16 or bf16
   * @param teacher the same of equal channels, constant even if it requires grad; a map may be of
   *     another size, tokens must be as many
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch, channels,
   *     number of tokens or device do not fit, or there are fewer than 3 values of a channel: two
   *     correlate wholly or not at all
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair maps =
              MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS)
                  .requireSameChannels()
                  .inOneType()
                  .withStudentResized();
          ConstantLoss.refuseIf(
              maps.teacher().positions() < 3,
              maps.student(),
              "has fewer than 3 values of each channel, which correlate wholly or not at all;"
                  + " expected a larger batch or map");
          Tensor gap = channels(maps.student()).sub(channels(maps.teacher()));
          return Rows.meanOfAll(gap.square()).mul(new Scalar(0.5));
        });
  }

  /** [C, images and positions]. */
  private static Tensor channels(MapView layer) {
    return Rows.standardized(layer.map().transpose(0, 1).flatten(1, 3), EPS);
  }
}
