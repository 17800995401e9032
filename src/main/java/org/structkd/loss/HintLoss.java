package org.structkd.loss;

import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;

/**
 * Hint loss (FitNets): the student's layer shall be the teacher's.
 *
 * <pre>{@code
 * L = mean over all elements of (r(s) - t)^2      r: resizes, and goes through a connector
 * }</pre>
 *
 * <p>A student's map of another height or width is resized to the teacher's, bilinear with corners
 * not aligned. With a connector it goes through a 1x1 convolution without bias first, which brings
 * it to the teacher's channels and learns with the student.
 *
 * <ul>
 *   <li><b>Value:</b> in the square of the features' unit, at least 0.
 *   <li><b>Gradient:</b> 2 (r(s) - t) / elements by r(s), to the student only, and to the
 *       connector.
 *   <li><b>Threads:</b> immutable, may be shared; a connector serves one training. Without one,
 *       equal inputs give equal bits, whatever the number of LibTorch threads.
 * </ul>
 *
 * <p>Source: A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv 1412.6550;
 * code CIRKD dab64db, {@code losses/fitnet.py}.
 *
 * @param connector whether the student's map goes through a connector
 */
public record HintLoss(boolean connector) implements MapLoss {
  private static final String NAME = "hint loss";

  /** The role of its outputs. */
  public static final String FEATURES = "features";

  /** {@return CIRKD's form: with a connector} */
  public static HintLoss cirkd() {
    return new HintLoss(true);
  }

  /** {@return the same between maps of equal channels} */
  public static HintLoss withoutConnector() {
    return new HintLoss(false);
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(FEATURES, 2, 3, 4), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    return connector ? Optional.of(Connector.linear(maps(dryRun), seed)) : Optional.empty();
  }

  /**
   * {@inheritDoc} The student's map goes through the connector where there is one.
   *
   * @throws IllegalArgumentException if there should be a connector and is none
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    return connector
        ? Connector.of(NAME, inputs).measure(maps(inputs), HintLoss::loss)
        : MapLoss.super.measure(inputs);
  }

  /**
   * Computes the loss of maps that are connected already.
   *
   * @param student map [B, C, H, W], tokens [B, N, C] or vectors [B, C]; f32, f64, f16 or bf16
   * @param teacher the same of equal channels, constant even if it requires grad; a map may be of
   *     another size, tokens must be as many
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch, channels,
   *     number of tokens or device do not fit
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(() -> loss(maps(student, teacher)));
  }

  private static MapPair maps(LossInputs inputs) {
    return maps(inputs.student(FEATURES), inputs.teacher(FEATURES));
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS);
  }

  private static Tensor loss(MapPair maps) {
    MapPair same = maps.requireSameChannels().inOneType().withStudentResized();
    return Rows.meanOfAll(same.student().map().sub(same.teacher().map()).square());
  }
}
