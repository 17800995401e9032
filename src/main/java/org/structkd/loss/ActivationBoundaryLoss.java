package org.structkd.loss;

import java.util.Optional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Activation boundary loss (AB): the student's neurons shall be on when the teacher's are, by a
 * margin.
 *
 * <pre>{@code
 * L = scale / B sum over all elements of relu(margin - s)^2 where t > 0, else relu(margin + s)^2
 * }</pre>
 *
 * <p>Maps are taken in front of the ReLU. With a connector the student's map goes through a 1x1
 * convolution and batch normalisation first, which bring it to the teacher's channels and learn
 * with the student.
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; a sum over channels and positions, so it grows with
 *       them.
 *   <li><b>Gradient:</b> to the student only, and to the connector.
 *   <li><b>Threads:</b> immutable, may be shared; a connector serves one training.
 * </ul>
 *
 * <p>Source: B. Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries Formed by
 * Hidden Neurons", AAAI 2019, arXiv 1811.03233; code bhheo/AB_distillation, whose layers have the
 * weights 1, 1/2, 1/4 from deep to shallow.
 *
 * @param margin by which a neuron shall be on or off, greater than 0
 * @param scale of the sum per image, greater than 0: 3/1000 with three layers there
 * @param connector whether the student's map goes through a connector
 */
public record ActivationBoundaryLoss(double margin, double scale, boolean connector)
    implements MapLoss {
  private static final String NAME = "activation boundary loss";

  /** The role of its outputs. */
  public static final String FEATURES = "features";

  /** Checks the numbers. */
  public ActivationBoundaryLoss {
    Settings.requirePositive(NAME, "margin", margin);
    Settings.requirePositive(NAME, "scale", scale);
  }

  /** {@return the released form: margin 1, 3/1000, with a connector} */
  public static ActivationBoundaryLoss released() {
    return new ActivationBoundaryLoss(1, 3e-3, true);
  }

  /** {@return the same between maps of equal channels, without a connector, as in mmrazor} */
  public static ActivationBoundaryLoss withoutConnector() {
    return new ActivationBoundaryLoss(1, 3e-3, false);
  }

  /** {@inheritDoc} A connector has batch normalisation. */
  @Override
  public OverExamples overExamples() {
    return !connector ? OverExamples.MEAN : OverExamples.JOINT;
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
   * @param student map [B, C, H, W], tokens [B, N, C] or vectors [B, C], in front of the ReLU; f32,
   *     f64, f16 or bf16
   * @param teacher the same of one shape, constant even if it requires grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or shapes or devices do not
   *     fit
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(() -> loss(maps(student, teacher)));
  }

  private static MapPair maps(LossInputs inputs) {
    return maps(inputs.student(FEATURES), inputs.teacher(FEATURES));
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.VECTORS).requireSameSize();
  }

  private Tensor loss(MapPair maps) {
    maps.requireSameChannels();
    MapPair same = maps.inOneType();
    Tensor s = same.student().map();
    Tensor wanted =
        torch
            .where(same.teacher().map().gt(new Scalar(0)), new Scalar(1), new Scalar(-1))
            .to(s.dtype());
    Tensor missing = torch.relu(s.mul(wanted).neg().add(new Scalar(margin)));
    return Rows.sumOfAll(missing.square()).mul(new Scalar(scale / s.size(0)));
  }
}
