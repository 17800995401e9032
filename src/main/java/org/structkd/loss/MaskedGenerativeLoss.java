package org.structkd.loss;

import java.util.Optional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Draws;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Settings;

/**
 * Masked generative loss (MGD): of a part of the student's map the whole of the teacher's shall be
 * made.
 *
 * <pre>{@code
 * L = 1/B sum over all elements of (G(M * A(s)) - t)^2
 * A = 1x1 convolution to the teacher's channels where they differ
 * M = 0 where a uniform draw is below maskRatio, else 1: per position, or per channel, of each image
 * G = 3x3 convolution, ReLU, 3x3 convolution
 * }</pre>
 *
 * <p>A and G have biases and learn with the student. A student's map of another height or width is
 * resized to the teacher's, bilinear with corners not aligned.
 *
 * <ul>
 *   <li><b>Value:</b> in the square of the features' unit, at least 0; a sum over channels and
 *       positions, so that it grows with them, hence the small weights.
 *   <li><b>Gradient:</b> to the student only, 0 where it is masked, and to the layers.
 *   <li><b>Draws:</b> masks are a function of the training's seed and the step.
 *   <li><b>Threads:</b> immutable, may be shared; a generator serves one training.
 * </ul>
 *
 * <p>Source: Z. Yang et al., "Masked Generative Distillation", ECCV 2022, arXiv 2205.01529; code
 * yzd-v/MGD 046aba2.
 *
 * @param maskRatio share that is masked, from 0 to below 1
 * @param masking what is masked
 */
public record MaskedGenerativeLoss(double maskRatio, Masking masking) implements CountingLoss {
  private static final String NAME = "masked generative loss";

  /** The role of its outputs. */
  public static final String FEATURES = "features";

  /** What a mask takes away. */
  public enum Masking {
    /** All channels of a position. */
    POSITIONS,
    /** All positions of a channel. */
    CHANNELS
  }

  /** Checks the settings. */
  public MaskedGenerativeLoss {
    if (!(maskRatio >= 0 && maskRatio < 1)) { // also refuses NaN
      throw new IllegalArgumentException(
          NAME + ": maskRatio is " + maskRatio + ", expected a number from 0 to below 1");
    }
    Settings.requireGiven(NAME, "masking", masking);
  }

  /** {@return the code for segmentation: three of four positions are masked; weight 2e-5 there} */
  public static MaskedGenerativeLoss segmentation() {
    return new MaskedGenerativeLoss(0.75, Masking.POSITIONS);
  }

  /** {@return the code for detection, as mmrazor has it: 0.65 of the positions; weight 2e-5} */
  public static MaskedGenerativeLoss detection() {
    return new MaskedGenerativeLoss(0.65, Masking.POSITIONS);
  }

  /** {@return the code for classification: 0.15 of the channels; weight 7e-5 there} */
  public static MaskedGenerativeLoss classification() {
    return new MaskedGenerativeLoss(0.15, Masking.CHANNELS);
  }

  /** {@inheritDoc} Masks depend on an image's place in its batch. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of(FEATURES, 4), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    return Optional.of(new MaskedGenerator(maps(dryRun), seed));
  }

  /**
   * {@inheritDoc} Positions of the teacher's map are counted, masked or not.
   *
   * @throws IllegalArgumentException if there is no generator
   */
  @Override
  public LossValue measure(LossInputs inputs) {
    if (!(inputs.part() instanceof MaskedGenerator generator)) {
      throw new IllegalArgumentException(NAME + ": it has no generator: make one by trainedPart()");
    }
    MapPair maps =
        generator
            .generate(
                maps(inputs).withStudentResized(), map -> masked(map, generator, inputs.step()))
            .inOneType();
    Tensor gap = maps.student().map().sub(maps.teacher().map());
    return new LossValue(
        Rows.sumOfAll(gap.square()).div(new Scalar(gap.size(0))),
        Tensor.create(new long[] {maps.teacher().positions()}));
  }

  private static MapPair maps(LossInputs inputs) {
    return MapPair.of(
        NAME, inputs.student(FEATURES), inputs.teacher(FEATURES), MapView.Accepts.MAPS);
  }

  private Tensor masked(Tensor map, MaskedGenerator generator, long step) {
    long[] shape =
        masking == Masking.POSITIONS
            ? new long[] {map.size(0), 1, map.size(2), map.size(3)}
            : new long[] {map.size(0), map.size(1), 1, 1};
    Tensor drawn = new Draws(generator.seed(), step).uniform(0, map.device(), shape);
    return map.mul(drawn.ge(new Scalar(maskRatio)).to(map.scalar_type()));
  }
}
