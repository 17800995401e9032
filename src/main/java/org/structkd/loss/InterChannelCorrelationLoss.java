package org.structkd.loss;

import java.util.Optional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Inter-channel correlation loss (ICKD): channels that are active at the same positions in the
 * teacher shall be so in the student.
 *
 * <pre>{@code
 * L = 1 / (B divisor) sum over images sum_ij (g_S[i,j] - g_T[i,j])^2
 * g = rows of G, each divided by max(its length, 1e-12), or G itself
 * G = F F^T of each image, F = the map as [C, H W]
 * }</pre>
 *
 * <p>With a connector the student's map goes through a 1x1 convolution and batch normalisation
 * first, which bring it to the teacher's channels and learn with the student.
 *
 * <ul>
 *   <li><b>Value:</b> at least 0; no unit where rows are normalised, then at most 4 for the divisor
 *       C; else in the fourth power of the features' unit.
 *   <li><b>Gradient:</b> to the student only, also through the lengths of the rows, and to the
 *       connector.
 *   <li><b>Sizes:</b> height and width may differ.
 *   <li><b>Memory:</b> some matrices C x C per image.
 *   <li><b>Threads:</b> immutable, may be shared; a connector serves one training.
 * </ul>
 *
 * <p>Source: L. Liu et al., "Exploring Inter-Channel Correlation for Diversity-preserved Knowledge
 * Distillation", ICCV 2021, arXiv 2202.03680; code ADLab-AutoDrive/ICKD, and AICSD f99949e, whose
 * {@code ic_loss} takes logits.
 *
 * @param normalizeRows whether rows of G are scaled to length 1
 * @param divisor of the sum over pairs of channels
 * @param connector whether the student's map goes through a connector
 */
public record InterChannelCorrelationLoss(boolean normalizeRows, Divisor divisor, boolean connector)
    implements MapLoss {
  private static final String NAME = "inter-channel correlation loss";

  /** The role of its outputs. */
  public static final String FEATURES = "features";

  /** By what the sum over pairs of channels is divided; the mean over images comes on top. */
  public enum Divisor {
    /** C: a mean over rows of length 1. */
    CHANNELS,
    /** C B: what torchdistill divides by, so that the loss falls as the batch grows. */
    CHANNELS_AND_IMAGES,
    /** C C: a mean over pairs. */
    PAIRS;

    private double of(Tensor gap) {
      return switch (this) {
        case CHANNELS -> gap.size(1);
        case CHANNELS_AND_IMAGES -> gap.size(1) * (double) gap.size(0);
        case PAIRS -> gap.size(1) * (double) gap.size(1);
      };
    }
  }

  /** Checks that there is a divisor. */
  public InterChannelCorrelationLoss {
    Settings.requireGiven(NAME, "divisor", divisor);
  }

  /** {@return the released code between equal channels, as AICSD has it: rows of length 1} */
  public static InterChannelCorrelationLoss standard() {
    return new InterChannelCorrelationLoss(true, Divisor.CHANNELS, false);
  }

  /** {@return the released code, whose student goes through a connector} */
  public static InterChannelCorrelationLoss released() {
    return new InterChannelCorrelationLoss(true, Divisor.CHANNELS, true);
  }

  /** {@return torchdistill's form: also divided by the number of images} */
  public static InterChannelCorrelationLoss torchdistill() {
    return new InterChannelCorrelationLoss(true, Divisor.CHANNELS_AND_IMAGES, false);
  }

  /** {@return the publication's equation: plain products, a mean over pairs} */
  public static InterChannelCorrelationLoss paper() {
    return new InterChannelCorrelationLoss(false, Divisor.PAIRS, false);
  }

  /**
   * {@inheritDoc} A connector has batch normalisation, and {@link Divisor#CHANNELS_AND_IMAGES}
   * divides by the images once more.
   */
  @Override
  public OverExamples overExamples() {
    return !connector && divisor != Divisor.CHANNELS_AND_IMAGES
        ? OverExamples.MEAN
        : OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(FEATURES, 2, 3, 4), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    return connector ? Optional.of(Connector.normalized(maps(dryRun), seed)) : Optional.empty();
  }

  /**
   * {@inheritDoc} The student's map goes through the connector where there is one.
   *
   * @throws IllegalArgumentException if there should be a connector and is none
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    return connector
        ? Connector.of(NAME, inputs).measure(maps(inputs), this::loss)
        : MapLoss.super.measure(inputs);
  }

  /**
   * Computes the loss of maps that are connected already.
   *
   * @param student map [B, C, H, W], tokens [B, N, C] or vectors [B, C]; f32, f64, f16 or bf16
   * @param teacher the same of equal channels and any size; constant even if it requires grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch, channels or
   *     device do not fit, or there is one channel whose row of length 1 has the number 1
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

  private Tensor loss(MapPair maps) {
    MapPair same = maps.requireSameChannels().inOneType();
    ConstantLoss.refuseIf(
        normalizeRows && same.student().map().size(1) == 1,
        same.student(),
        "has one channel, whose row of length 1 has the number 1; expected 2 channels or more");
    Tensor gap = correlations(same.student()).sub(correlations(same.teacher()));
    double images = gap.size(0);
    return Rows.sumOfAll(gap.square()).div(new Scalar(images * divisor.of(gap)));
  }

  /** [B, C, C]. */
  private Tensor correlations(MapView features) {
    Tensor channels = features.map().flatten(2, 3);
    Tensor products = channels.bmm(channels.transpose(1, 2));
    return normalizeRows ? Rows.unit(products) : products;
  }
}
