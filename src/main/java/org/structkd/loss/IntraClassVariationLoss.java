package org.structkd.loss;

import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
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
 *   <li><b>Memory:</b> some numbers per class and channel of some images, and some per position; no
 *       copy of the features.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 *   <li><b>NaN:</b> a NaN among the features of a position of a class gives a NaN loss.
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

  /** Checks the number of classes. */
  public IntraClassVariationLoss {
    Settings.requireCount(NAME, "numClasses", numClasses, 1);
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
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels) {
    return Scopes.resultOf(
        () -> classes(maps(student, teacher), labels, OptionalLong.empty()).compare());
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
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> classes(maps(student, teacher), labels, OptionalLong.of(ignoreIndex)).compare());
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS).requireSameSize();
  }

  private LossValue measure(MapPair maps, Tensor labels, OptionalLong ignoreIndex) {
    Classes classes = classes(maps, labels, ignoreIndex);
    return new LossValue(classes.compare(), classes.count());
  }

  private Classes classes(MapPair maps, Tensor labels, OptionalLong ignoreIndex) {
    Tensor map = maps.student().map();
    ConstantLoss.refuseIf(
        map.size(1) == 1 || map.size(2) * map.size(3) == 1,
        maps.student(),
        "has "
            + (map.size(1) == 1 ? "one channel" : "one position")
            + ", and its similarity to the centre of its class never changes; expected 2 or more");
    // Without an ignore index a label of -1 is no class, as any other outside of them.
    Labels given = Labels.of(maps.student(), labels, ignoreIndex.orElse(-1));
    return new Classes(maps, given, ignoreIndex.isPresent() ? given.valid() : null, numClasses);
  }

  /** Maps with the classes of their positions, checked. */
  private record Classes(MapPair maps, Labels labels, @Nullable Tensor valid, long numClasses) {
    Tensor compare() {
      return Operator.call(
          "intra_class_variation",
          maps.student().map(),
          maps.teacher().map(),
          labels.values(),
          valid,
          numClasses);
    }

    /** How many positions have a class. */
    Tensor count() {
      Tensor index = labels.classesOr(-1);
      return index.ge(new Scalar(0)).logical_and(index.lt(new Scalar(numClasses))).sum();
    }
  }
}
