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

/**
 * Intra-class feature variation loss (IFVD): each position of the student shall be as similar to
 * the centre of its class as it is in the teacher.
 *
 * <pre>{@code
 * L       = 1/N sum over positions n with a class of (M_S[n] - M_T[n])^2
 * M[n]    = <f_n, c_k> / max(|f_n| |c_k|, 1e-8)            k: the class of n
 * c_k     = sum over the positions of class k of f / (their number + 1e-6)      in each image
 * }</pre>
 *
 * <p>N counts all positions of the batch, also those of no class, whose similarity is 1 in both
 * nets; with an ignore index those that take part.
 *
 * <ul>
 *   <li><b>Value:</b> no unit; 0 when the similarities agree, at most 4.
 *   <li><b>Gradient:</b> to the student only, through features and centres; 0 at a position of no
 *       class. Features or centres that are all 0 have similarity 0 without a slope.
 *   <li><b>Channels:</b> may differ; height and width may not.
 *   <li><b>Memory:</b> numClasses numbers per position and none per class and channel.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 *
 * <p>Source: Y. Wang et al., "Intra-class Feature Variation Distillation for Semantic
 * Segmentation", ECCV 2020; code YukangWang/IFVD, and CIRKD dab64db.
 *
 * @param numClasses labels 0 to numClasses - 1 are classes, others are none; at least 1
 */
public record IntraClassVariationLoss(long numClasses) implements Loss {
  private static final String NAME = "intra-class variation loss";
  private static final String FEATURES = "features";

  /** Of the product of two lengths, as torch.nn.CosineSimilarity has it. */
  private static final double LEAST_LENGTHS = 1e-8;

  /** Beside the number of positions of a class, as the public codes have it. */
  private static final double BESIDE_COUNT = 1e-6;

  /** Checks the number of classes. */
  public IntraClassVariationLoss {
    if (numClasses < 1) {
      throw new IllegalArgumentException(
          NAME + ": numClasses is " + numClasses + ", expected at least 1");
    }
  }

  /** {@return the released code on the 19 classes of Cityscapes; its loss weight there is 200} */
  public static IntraClassVariationLoss released() {
    return new IntraClassVariationLoss(19);
  }

  /**
   * {@return CIRKD at revision dab64db, the same formula on the 19 classes of Cityscapes; its loss
   * weight there is 20}
   */
  public static IntraClassVariationLoss cirkd() {
    return new IntraClassVariationLoss(19);
  }

  /** The same loss for labels of another number of classes. */
  public IntraClassVariationLoss withNumClasses(long numClasses) {
    return new IntraClassVariationLoss(numClasses);
  }

  @Override
  public Needs needs() {
    List<Needs.Role> features = List.of(Needs.Role.of(FEATURES, 3, 4));
    return new Needs(features, features, Set.of(LossInputs.LABELS), Set.of(), true);
  }

  @Override
  public Tensor forward(LossInputs inputs) {
    return Scopes.resultOf(() -> measure(inputs).loss());
  }

  /** {@inheritDoc} Positions that have a class are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    MapPair maps = maps(inputs.student(FEATURES), inputs.teacher(FEATURES));
    Tensor labels = inputs.target(LossInputs.LABELS);
    return measure(maps, labels, inputs.ignoreIndex());
  }

  /**
   * Computes the loss of one batch, a mean over all positions, as published.
   *
   * @param student features [B, Cs, H, W], or tokens [B, N, Cs]; f32, f64, f16 or bf16
   * @param teacher features [B, Ct, H, W], or tokens [B, N, Ct]; constant even if it requires grad
   * @param labels integers [B, N] of tokens, or [B, H', W'] of any size, resized to the features by
   *     the nearest neighbour
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch, size, dtype
   *     or device do not fit, or the loss would be constant: one channel or one position
   */
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels) {
    return Scopes.resultOf(
        () -> measure(maps(student, teacher), labels, OptionalLong.empty()).loss());
  }

  /**
   * The same over the labelled positions: those whose label is the ignore index or -1 take no part
   * and are not counted.
   *
   * @param student features as above
   * @param teacher features as above
   * @param labels as above
   * @param ignoreIndex the label of positions that take no part, usually 255
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   */
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> measure(maps(student, teacher), labels, OptionalLong.of(ignoreIndex)).loss());
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS).requireSameSize().inOneType();
  }

  private LossValue measure(MapPair maps, Tensor labels, OptionalLong ignoreIndex) {
    Tensor map = maps.student().map();
    ConstantLoss.refuseIf(
        map.size(1) == 1 || map.size(2) * map.size(3) == 1,
        maps.student(),
        "has "
            + (map.size(1) == 1 ? "one channel" : "one position")
            + ", and its similarity to the centre of its class never changes; expected 2 or more");
    // Without an ignore index a label of -1 is no class, as any other outside of them.
    Labels classes = Labels.of(maps.student(), labels, ignoreIndex.orElse(-1));
    Tensor valid = classes.valid().flatten(1, 2);
    Tensor index = classes.classesOr(-1).flatten(1, 2);
    Tensor hasClass =
        index.ge(new Scalar(0)).logical_and(index.lt(new Scalar(numClasses))).logical_and(valid);
    // An extra class holds positions of none, and is cut off.
    Tensor members =
        torch
            .one_hot(
                index.masked_fill(hasClass.logical_not(), new Scalar(numClasses)), numClasses + 1)
            .narrow(2, 0, numClasses);
    Tensor gap =
        similarities(maps.student().map(), members)
            .sub(similarities(maps.teacher().map(), members));
    Tensor sum = Rows.sumOfAll(gap.square());
    Tensor mean =
        ignoreIndex.isPresent()
            ? sum.div(valid.sum().clamp_min(new Scalar(1)))
            : sum.div(new Scalar((double) index.numel()));
    return new LossValue(mean, hasClass.sum());
  }

  /**
   * [B, N], 0 where there is no class. Each position is compared with all centres and takes what is
   * its own, so that no centre is written once more for each of its positions.
   *
   * @param features [B, C, H, W]
   * @param members [B, N, K] of integers, 1 where a position is of a class
   */
  private static Tensor similarities(Tensor features, Tensor members) {
    Tensor positions = features.flatten(2, 3); // [B, C, N]
    Tensor taken = members.to(features.scalar_type().intern());
    // What no class has may be NaN, and 0 times NaN would reach all centres.
    Tensor none = members.sum(2).eq(new Scalar(0)).unsqueeze(1);
    Tensor used = positions.masked_fill(none, new Scalar(0));
    Tensor counts = taken.sum(1).add(new Scalar(BESIDE_COUNT)); // [B, K]
    Tensor centres = used.bmm(taken).div(counts.unsqueeze(1)); // [B, C, K]
    Tensor products = own(centres.transpose(1, 2).bmm(used), taken);
    Tensor lengths =
        Rows.lengths(used.transpose(1, 2))
            .mul(own(Rows.lengths(centres.transpose(1, 2)).unsqueeze(2), taken));
    Tensor similarities = products.div(lengths.clamp_min(new Scalar(LEAST_LENGTHS)));
    // A zero vector is similar to nothing, and has no direction in which it would be more so.
    return similarities.masked_fill(lengths.eq(new Scalar(0)), new Scalar(0));
  }

  /** From [B, K, N] or [B, K, 1], a number per class, that of each position's own: [B, N]. */
  private static Tensor own(Tensor perClass, Tensor taken) {
    return perClass.mul(taken.transpose(1, 2)).sum(1);
  }
}
