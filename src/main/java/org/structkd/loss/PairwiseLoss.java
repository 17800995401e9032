package org.structkd.loss;

import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Operator;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;
import org.structkd.internal.TensorArguments;

/**
 * Pair-wise loss: pulls the cosine affinities between the student's nodes towards the teacher's.
 *
 * <pre>{@code
 * L        = mean over images of 1/N^2 sum_ij (A_S[i,j] - A_T[i,j])^2
 * A[i,j]   = <f_i, f_j>     f_i: feature vector of node i, scaled to unit length
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit; 0 when affinities agree, at most 4, or 2 of absolute values. A mean
 *       over images and pairs, so that neither batch nor map size changes its scale, or a sum
 *       ({@link Reduction}). With node weights w, each pair counts w_i w_j and N becomes the sum of
 *       the weights.
 *   <li><b>Gradient:</b> to the student only; the teacher is constant even if it requires grad. A
 *       node whose length is at most eps has affinity 0 and gradient 0. With {@link Compare#L1} it
 *       is made of the signs of the gaps, as f64 affinities have them; a gap of at most 2^-38 is a
 *       tie and gives none.
 *   <li><b>Memory:</b> O((Cs + Ct)^2) beside the gradient, or O(N (Cs + Ct)) with {@link
 *       Compare#L1}; no N x N matrix at any map size.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 *   <li><b>NaN:</b> a NaN or an infinity among the features of nodes that have weight gives a NaN
 *       loss. A node of weight 0 takes no part and has gradient 0, whatever it holds.
 * </ul>
 *
 * <p>Source: Y. Liu et al., "Structured Knowledge Distillation for Semantic Segmentation", CVPR
 * 2019, arXiv 1903.04197, section 3.2. Where paper and codes differ, docs/methods/pairwise.md says
 * how and why. {@link Compare#L1}: Z. He et al., "FAKD", ICIP 2020.
 *
 * <p>Its variants differ in value, gradient and usual weight: start from a preset.
 *
 * @param pooling how the map becomes nodes
 * @param norm whether the gradient flows through the length of a node vector
 * @param epsMode how eps guards the length
 * @param eps in feature units, greater than 0
 * @param pairs which nodes are compared
 * @param precision how exact the kernel computes
 * @param compare what is made of the gap between two affinities
 * @param reduction what the sum over pairs is divided by
 */
public record PairwiseLoss(
    Pooling pooling,
    NormGradient norm,
    EpsMode epsMode,
    double eps,
    Pairs pairs,
    Precision precision,
    Compare compare,
    Reduction reduction)
    implements MapLoss {
  private static final String NAME = "pair-wise loss";

  /** Whether the gradient flows through the length of a node vector. */
  public enum NormGradient {
    /** The length is a constant, as in the released code of SKD. */
    DETACHED,
    /** The full derivative of the scaled vector, as {@code F.normalize} has it. */
    DIFFERENTIABLE
  }

  /** How eps guards the division by the length |f| of a node vector. */
  public enum EpsMode {
    /** f / (|f| + eps). */
    ADD,
    /** f / max(|f|, eps), as {@code F.normalize} has it. */
    MAX
  }

  /** Which nodes are compared with each other. */
  public enum Pairs {
    /** Nodes of one image are compared; the loss is the mean over images. */
    PER_IMAGE,
    /** Every node of the batch is compared with every other, at the cost of per-image pairs. */
    WHOLE_BATCH
  }

  /** How exact a kernel computes. */
  public enum Precision {
    /**
     * Error at most twice that of the same formula composed of LibTorch operators in this dtype.
     */
    EXACT,
    /**
     * Cheaper arithmetic while the relative error of the gradient of f32 maps stays below 5e-3,
     * else EXACT. On CUDA: tensor cores, for maps of equal channels with more than 64 nodes or at
     * least twice as many nodes as channels, bf16 maps in bf16, f16 and f32 in TF32; for maps of
     * different channels with as many nodes as both have channels or more, all in TF32. 16-bit maps
     * keep to that bound or to twice the error of a composition whose matrix products are of their
     * type, as under autocast. Changes nothing for f64.
     */
    FAST
  }

  /** What is made of the gap between the affinities of student and teacher. */
  public enum Compare {
    /** Its square, which needs no pairs: matrices of channels tell the sum. */
    SQUARED,
    /** Its absolute value, as in FAKD: pair by pair, O(N^2) work at any map size. */
    L1
  }

  /** What the sum over pairs is divided by. */
  public enum Reduction {
    /** The pairs of an image, N^2, and the images. */
    MEAN,
    /** Nothing: the usual weight falls as the square of the nodes. */
    SUM
  }

  /** Checks that the variant is complete. */
  public PairwiseLoss {
    Settings.requireGiven(NAME, "pooling", pooling);
    Settings.requireGiven(NAME, "norm", norm);
    Settings.requireGiven(NAME, "epsMode", epsMode);
    Settings.requireGiven(NAME, "pairs", pairs);
    Settings.requireGiven(NAME, "precision", precision);
    Settings.requireGiven(NAME, "compare", compare);
    Settings.requireGiven(NAME, "reduction", reduction);
    Settings.requirePositive(NAME, "eps", eps);
  }

  /**
   * SKD, released code at revision ce208e1: maximum over half the map (2 x 2 or 3 x 3 nodes),
   * detached length plus 1e-8. Its loss weight there is 0.5.
   */
  public static PairwiseLoss skdReleased() {
    return new PairwiseLoss(
        Pooling.maxOfMapFraction(0.5),
        NormGradient.DETACHED,
        EpsMode.ADD,
        1e-8,
        Pairs.PER_IMAGE,
        Precision.EXACT,
        Compare.SQUARED,
        Reduction.MEAN);
  }

  /**
   * SKD, branch cvpr_19 at revision f6e6565: all positions, gradient through the length. There
   * nothing guards the length and a zero node gives NaN; here it gives 0. The loss weight of the
   * publication is 10.
   */
  public static PairwiseLoss skdCvpr19() {
    return new PairwiseLoss(
        Pooling.none(),
        NormGradient.DIFFERENTIABLE,
        EpsMode.MAX,
        1e-12,
        Pairs.PER_IMAGE,
        Precision.EXACT,
        Compare.SQUARED,
        Reduction.MEAN);
  }

  /**
   * CIRKD's port of SKD at revision dab64db: maximum over 2 x 2 positions, gradient through the
   * length. Its loss weight there is 10.
   */
  public static PairwiseLoss cirkd() {
    return skdCvpr19().withPooling(Pooling.max(2, 2));
  }

  /**
   * Gram anchoring of DINOv3: all patches, gradient through the length, per image, no clipping of
   * negative affinities. Student and teacher are two versions of one network, so that their
   * features are aligned and the CPU kernel takes its fastest form.
   */
  public static PairwiseLoss dinov3GramAnchoring() {
    return skdCvpr19();
  }

  /**
   * FAKD, code at revision 589d35f, for super-resolution: absolute gaps between all positions,
   * gradient through the length plus 1e-8. Its loss weight there is 10, on three layers.
   */
  public static PairwiseLoss fakd() {
    return new PairwiseLoss(
        Pooling.none(),
        NormGradient.DIFFERENTIABLE,
        EpsMode.ADD,
        1e-8,
        Pairs.PER_IMAGE,
        Precision.EXACT,
        Compare.L1,
        Reduction.MEAN);
  }

  /**
   * Full topology distillation (FTD) of recommenders as the code of Topology_Distillation_KDD21 has
   * it: the sum over all pairs of one set, users and items joined, without a divisor. The rows of
   * [N, C] are the embeddings of the batch's users and items, each once. Nothing guards the length
   * there and a zero row gives NaN; here it has affinity 0 and gradient 0. Its loss weight there is
   * 1e-3, beside a summed BPR loss.
   */
  public static PairwiseLoss ftdReleased() {
    return skdCvpr19().withPairs(Pairs.WHOLE_BATCH).withReduction(Reduction.SUM);
  }

  /** The same loss with other nodes. */
  public PairwiseLoss withPooling(Pooling pooling) {
    return Settings.with(this, "pooling", pooling);
  }

  /** The same loss with another guard of the length. */
  public PairwiseLoss withEps(EpsMode epsMode, double eps) {
    return new PairwiseLoss(pooling, norm, epsMode, eps, pairs, precision, compare, reduction);
  }

  /** The same loss with or without gradient through the length. */
  public PairwiseLoss withNorm(NormGradient norm) {
    return Settings.with(this, "norm", norm);
  }

  /** The same loss over other pairs. */
  public PairwiseLoss withPairs(Pairs pairs) {
    return Settings.with(this, "pairs", pairs);
  }

  /** The same loss, computed more or less exactly. */
  public PairwiseLoss withPrecision(Precision precision) {
    return Settings.with(this, "precision", precision);
  }

  /** The same loss of other gaps. */
  public PairwiseLoss withCompare(Compare compare) {
    return Settings.with(this, "compare", compare);
  }

  /** The same loss with another divisor. */
  public PairwiseLoss withReduction(Reduction reduction) {
    return Settings.with(this, "reduction", reduction);
  }

  /**
   * {@inheritDoc} Maps; tokens where nothing is pooled; vectors, each a node, with {@link
   * Pairs#WHOLE_BATCH}.
   */
  @Override
  public Needs needs() {
    Set<Integer> ranks = new TreeSet<>(Set.of(4));
    if (pooling.kind() == Pooling.Kind.NONE) {
      ranks.add(3);
    }
    if (pairs == Pairs.WHOLE_BATCH) {
      ranks.add(2);
    }
    return Needs.pair(new Needs.Role("features", ranks, false), true);
  }

  /** {@inheritDoc} With {@link Pairs#WHOLE_BATCH} it compares them. */
  @Override
  public OverExamples overExamples() {
    if (pairs == Pairs.WHOLE_BATCH) {
      return OverExamples.JOINT;
    }
    return reduction == Reduction.SUM ? OverExamples.SUM : OverExamples.MEAN;
  }

  /** {@inheritDoc} Matrices of channels join all nodes of a batch. */
  @Override
  public boolean joinsShares() {
    return pairs == Pairs.WHOLE_BATCH && compare == Compare.SQUARED;
  }

  /** {@inheritDoc} With {@link Pairs#WHOLE_BATCH} and squares also over a batch of ranks. */
  @Override
  public LossValue measure(LossInputs inputs) {
    SharedBatch shared = inputs.shared();
    if (shared == null || !joinsShares()) {
      return MapLoss.super.measure(inputs);
    }
    MapPair nodes = nodes(inputs.student("features"), inputs.teacher("features"));
    refuseConstant(nodes.student().named("nodes"), shared.ranks());
    return SharedPairs.measure(this, nodes, inputs);
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student feature map [B, Cs, H, W]; or tokens [B, N, Cs], each a node; or, with {@link
   *     Pairs#WHOLE_BATCH}, vectors [B, Cs], where each image is a node. f32, f64, f16 or bf16
   * @param teacher the same with Ct channels, same device; the dtype may differ (the wider dtype is
   *     used, the gradient comes back in the student's), and so may height and width where pooling
   *     gives equal numbers of nodes
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, rank, size, dtype or device
   *     do not fit, or the loss would be constant: Cs = 1 with a differentiable length, or one node
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return forward(student, teacher, null);
  }

  /**
   * The same with a weight for each node.
   *
   * @param student as above
   * @param teacher as above
   * @param weights one for each node, after pooling: [B, H', W'], [B, N] of tokens or [B] of
   *     vectors; finite and at least 0; null: all 1. A node of weight 0 takes no part, even if it
   *     is NaN. An image whose weights sum to 0 has loss 0 and stays in the mean
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above, and for CPU weights that are negative or not finite
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(Tensor student, Tensor teacher, @Nullable Tensor weights) {
    return Scopes.resultOf(
        () -> {
          MapPair nodes = nodes(student, teacher);
          return call(nodes, checkedWeights(weights, nodes.student().named("nodes")));
        });
  }

  /**
   * The same over the labelled nodes: weight 0 where the label is the ignore index or -1, else 1.
   *
   * @param student as above
   * @param teacher as above
   * @param labels integers: [B, N] of tokens, [B] of vectors, or [B, H', W'] of any size, resized
   *     to the nodes (after pooling) by the nearest neighbour
   * @param ignoreIndex the label of nodes that take no part, usually 255
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> {
          MapPair nodes = nodes(student, teacher);
          Tensor valid = Labels.of(nodes.student(), labels, ignoreIndex).valid();
          return call(nodes, valid.to(ScalarType.Float));
        });
  }

  /**
   * Condition number of the loss for these maps: the norm of the student's affinities over that of
   * the gaps, largest over the images. Rounding errors of affinities grow by this factor, so it
   * tells whether a cheap precision is safe; it rises as the student approaches the teacher.
   *
   * @param student as for {@link #forward(Tensor, Tensor)}
   * @param teacher as for {@link #forward(Tensor, Tensor)}
   * @return at least 0; positive infinity where student and teacher agree
   * @throws IllegalArgumentException as {@link #forward(Tensor, Tensor)}
   */
  public double conditionNumber(Tensor student, Tensor teacher) {
    return Scopes.numberOf(
        () -> {
          MapPair nodes = nodes(student, teacher);
          return Operator.call(
                  "pairwise_condition_number",
                  nodes.student().map(),
                  nodes.teacher().map(),
                  null,
                  norm,
                  epsMode,
                  eps,
                  pairs,
                  compare)
              .item_double();
        });
  }

  private MapPair nodes(Tensor student, Tensor teacher) {
    MapView.Accepts accepts =
        pairs == Pairs.WHOLE_BATCH ? MapView.Accepts.VECTORS : MapView.Accepts.TOKENS;
    return pooling.applyTo(MapPair.of(NAME, student, teacher, accepts));
  }

  private Tensor call(MapPair nodes, @Nullable Tensor weights) {
    refuseConstant(nodes.student().named("nodes"), 1);
    return Operator.call(
        "pairwise",
        nodes.student().map(),
        nodes.teacher().map(),
        weights,
        norm,
        epsMode,
        eps,
        pairs,
        precision,
        compare,
        reduction);
  }

  private void refuseConstant(MapView nodes, int ranks) {
    // A unit vector of one channel is 1 or -1. With the length detached, the gradient of SKD still
    // pushes a node across 0; without, nothing does.
    ConstantLoss.refuseIf(
        nodes.map().size(1) == 1 && norm == NormGradient.DIFFERENTIABLE,
        nodes,
        "has one channel, so that every cosine is 1 or -1 and has no gradient through the length;"
            + " expected 2 channels or more, or NormGradient.DETACHED");
    long images = pairs == Pairs.WHOLE_BATCH ? ranks * nodes.map().size(0) : 1;
    ConstantLoss.refuseIf(
        images * nodes.map().size(2) * nodes.map().size(3) == 1,
        nodes,
        "has one node to compare, whose cosine with itself is 1; expected a larger map, less"
            + " pooling, or Pairs.WHOLE_BATCH with several images");
  }

  private static @Nullable Tensor checkedWeights(@Nullable Tensor weights, MapView nodes) {
    if (weights == null) {
      return null;
    }
    Tensor plane = nodes.plane("weights", weights);
    TensorArguments.requireFiniteAtLeastZero(NAME, "weights", weights);
    return plane;
  }
}
