package org.structkd.loss;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Adversarial feature loss: the student's features of several scales are pulled to the teacher's,
 * and a small discriminator of each scale learns to tell them apart, by which the student is
 * judged.
 *
 * <pre>{@code
 * student         L   = sum_l featureWeight mean |g_l(s_l) - t_l| - adversarialWeight mean D_l(g_l(s_l))
 * discriminators  L_D = sum_l mean relu(1 - D_l(t_l)) + mean relu(1 + D_l(g_l(s_l)))        hinge
 * }</pre>
 *
 * <p>s_l is resized to the size of t_l, bilinear, where they differ. g_l is a 1x1 convolution
 * without bias, which learns with the student; D_l is 3x3 convolution to 64 channels, leaky ReLU of
 * slope 0.1, the same with stride 2, and a 1x1 convolution to one, averaged over its map.
 *
 * <ul>
 *   <li><b>Value:</b> no unit, any sign.
 *   <li><b>Gradient:</b> to the student and to g; the discriminators learn by {@link
 *       TrainedPart.Opponent#objective}, which sees g(s) as constant.
 *   <li><b>Threads:</b> immutable, may be shared; the layers serve one training.
 * </ul>
 *
 * <p>Source: an implementable form, ours, of adversarial feature distillation of face
 * super-resolution (2021), whose equations could not be read.
 *
 * @param featureWeight of the distance, at least 0
 * @param adversarialWeight of the judgement, at least 0, not both 0
 * @param regions whether the batch's target {@link #REGIONS} weights the positions of the distance
 */
public record AdversarialFeatureLoss(
    double featureWeight, double adversarialWeight, boolean regions) implements Loss {
  private static final String NAME = "adversarial feature loss";

  /** The role of its outputs: a list of scales of each network. */
  public static final String FEATURES = "features";

  /**
   * The target that weights positions: numbers of at least 0, [B, H, W] of any size, such as boxes
   * around what matters; brought to the size of a map by means.
   */
  public static final String REGIONS = "regions";

  /** Checks the settings. */
  public AdversarialFeatureLoss {
    Settings.requireWeights(
        NAME, "featureWeight", featureWeight, "adversarialWeight", adversarialWeight);
  }

  /** {@return weights to start from, ours: 0.1 of the distance, 0.001 of the judgement} */
  public static AdversarialFeatureLoss standard() {
    return new AdversarialFeatureLoss(0.1, 1e-3, false);
  }

  @Override
  public Needs needs() {
    Needs.Role scales = Needs.Role.several(FEATURES, 4);
    return new Needs(
        List.of(scales), List.of(scales), regions ? Set.of(REGIONS) : Set.of(), Set.of(), false);
  }

  @Override
  public Optional<TrainedPart> trainedPart(LossInputs dryRun, long seed) {
    List<MapPair> scales = scales(dryRun);
    return Optional.of(
        new ScaleGame(
            scales.stream().map(scale -> (int) scale.student().map().size(1)).toList(),
            scales.stream().map(scale -> (int) scale.teacher().map().size(1)).toList(),
            AdversarialFeatureLoss::scales,
            seed));
  }

  /**
   * Computes the student's loss.
   *
   * @param inputs features [B, C, H, W] of as many scales of both networks, and the layers as the
   *     part
   * @return scalar, f64 if the layers are, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if there are no layers or those of other channels, or features
   *     differ in number, batch or device
   */
  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(
        () -> {
          List<MapPair> scales = scales(inputs);
          if (!(inputs.part() instanceof ScaleGame game)) {
            throw new IllegalArgumentException(
                NAME + ": it has no discriminators: make them by trainedPart()");
          }
          game.requireFit(NAME, scales);
          Tensor loss = null;
          for (int scale = 0; scale < scales.size(); scale++) {
            Tensor student = game.connected(scale, scales.get(scale));
            Tensor teacher = scales.get(scale).teacher().map().detach().to(game.type());
            Tensor ofScale =
                distance(student, teacher, inputs)
                    .mul(new Scalar(featureWeight))
                    .sub(game.judged(scale, student).mul(new Scalar(adversarialWeight)));
            loss = loss == null ? ofScale : loss.add(ofScale);
          }
          return loss;
        });
  }

  private static List<MapPair> scales(LossInputs inputs) {
    List<MapPair> scales = new ArrayList<>();
    for (LossInputs scale : LayerInputs.of(NAME, inputs, FEATURES)) {
      Tensor student = scale.student(FEATURES);
      scales.add(MapPair.of(NAME, student, scale.teacher(FEATURES), MapView.Accepts.MAPS));
      long batch = scales.get(0).student().map().size(0);
      if (student.size(0) != batch) {
        String name = "student " + FEATURES + "." + (scales.size() - 1);
        throw new IllegalArgumentException(
            "%s: %s is of another batch than scale 0, which has %d images"
                .formatted(NAME, TensorArguments.describe(name, student), batch));
      }
    }
    return scales;
  }

  /** The mean of |s - t| over all elements, each position by its weight. */
  private Tensor distance(Tensor student, Tensor teacher, LossInputs inputs) {
    Tensor gaps = student.sub(teacher).abs();
    if (!regions) {
      return gaps.mean();
    }
    Tensor given = inputs.target(REGIONS);
    TensorArguments.requireOpen(NAME, REGIONS, given);
    TensorArguments.requireNumbers(NAME, REGIONS, given);
    TensorArguments.requireSameDevice(NAME, REGIONS, given, "student", student);
    if (given.dim() != 3 || given.size(0) != student.size(0)) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe(REGIONS, given)
              + " does not fit "
              + TensorArguments.describe("student", student)
              + ", expected [batch, height, width]");
    }
    TensorArguments.requireFiniteAtLeastZero(NAME, REGIONS, given);
    Tensor weights =
        torch.adaptive_avg_pool2d(
            given.to(ScalarType.Double).unsqueeze(1), student.size(2), student.size(3));
    Tensor sum = weights.sum().mul(new Scalar(student.size(1)));
    Tensor shares = weights.div(sum.clamp_min(new Scalar(Double.MIN_NORMAL)));
    return gaps.mul(shares.to(gaps.scalar_type())).sum();
  }
}
