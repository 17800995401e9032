package org.structkd.loss;

import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Global structural loss (GSSKD): draws pixels, builds the cosine similarity map of their features,
 * shuffles each row, cuts the columns into groups and pulls the distribution of similarities inside
 * each group of the student towards the teacher's.
 *
 * <pre>{@code
 * V      = X X'            M x M, rows of X: feature vectors of the samples, scaled to unit length
 * SID_g  = { V[i, pi_i(j)] : i < M, g w <= j < (g+1) w },  g < G = floor(M / w)
 * KL_g   = KL(softmax(SID_g of V_T / t), softmax(SID_g of V_S / t))     over all M w entries
 * L      = mean over images of 1/G sum_g t^2 KL_g
 * }</pre>
 *
 * <p>Where the width w is 0 or above M, the groups are single columns and the sum is divided by M
 * (with SUM it is not).
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; 0 when similarities agree up to a constant per group.
 *   <li><b>Gradient:</b> to the student only. Pixels that were not drawn get 0, and so does a
 *       vector whose length is at most eps. What the released code never had: it flows.
 *   <li><b>Draws:</b> samples and permutations are a function of seed and step alone, the same on
 *       every machine and for any number of threads. Pass a step that grows.
 *   <li><b>Memory:</b> about 12 M^2 bytes for f32, for one image at a time.
 *   <li><b>Threads:</b> immutable, may be shared.
 *   <li><b>Degenerate:</b> images without samples are left out; if none has any, loss and gradient
 *       are 0. A NaN among sampled features gives a NaN loss.
 * </ul>
 *
 * <p>Source: K. Ahn et al., MaryAhn/GSKD at revision 641ddeb; IEEE Access 2025, doi
 * 10.1109/ACCESS.2025.3575066. Where texts and code differ, docs/methods/global_structural.md says
 * how and why.
 *
 * <p>Start from {@link #standard()} or {@link #authorsReleased()} and change what differs.
 *
 * @param sampling which pixels are drawn
 * @param groupWidth columns of a group: a width where positive; where negative, its absolute value
 *     times the number of classes of the image; 0 or more than the samples: see the loss
 * @param temperature greater than 0
 * @param similarity what the student's rows are multiplied with
 * @param shuffle how columns are permuted
 * @param comparison how groups are compared
 * @param reduction divisor of a group's divergence; GROUP_DIVERGENCE only
 * @param remainder what the columns behind the last full group count
 * @param batch how images make one value
 * @param eps length up to which a feature vector counts as zero, greater than 0
 * @param seed of samples and permutations
 */
public record GlobalStructuralLoss(
    Sampling sampling,
    long groupWidth,
    double temperature,
    Similarity similarity,
    Shuffle shuffle,
    Comparison comparison,
    Reduction reduction,
    Remainder remainder,
    BatchRule batch,
    double eps,
    long seed)
    implements CountingLoss {
  static final String NAME = "global structural loss";

  /** What the rows of the student are multiplied with in {@link GlobalStructuralLoss}. */
  public enum Similarity {
    /** The student's rows are multiplied with each other. */
    SELF,
    /** The student's rows are multiplied with the teacher's, which needs as many channels. */
    CROSS
  }

  /** How the columns of a similarity map are permuted before they are cut into groups. */
  public enum Shuffle {
    /** Every row has a permutation of its own. */
    ROW_INDEPENDENT,
    /** All rows of an image are permuted alike, so that a group is a real block of the map. */
    COLUMN_SHARED,
    /** The columns stay in their order. */
    NONE
  }

  /** How {@link GlobalStructuralLoss} compares a group of student and teacher. */
  public enum Comparison {
    /** F1, the published one: KL of the softmax over all entries of a group, by a kernel. */
    GROUP_DIVERGENCE,
    /**
     * F2: KL of the softmax over each row of a group, mean over rows and groups, times the squared
     * temperature; composed of LibTorch operators.
     */
    ROW_DIVERGENCE,
    /**
     * F3: mean squared gap between the cosines of groups, taken as vectors; composed of LibTorch
     * operators.
     */
    DESCRIPTOR_RELATION
  }

  /** Divisor of the divergence of a group of L = M * width entries. */
  public enum Reduction {
    /** 1: the divergence itself. */
    SUM,
    /** L, as in the released code. */
    DIV_L,
    /** M, the number of samples. */
    DIV_M
  }

  /** What the columns behind the last full group count. */
  public enum Remainder {
    /** They are added to the mean over full groups, as published. */
    ADDED,
    /** They are one more group of the mean. */
    AVERAGED,
    /** They count nothing. */
    DROPPED
  }

  /** How the images of a batch make one value. Images without samples never count. */
  public enum BatchRule {
    /** The value is their mean. */
    MEAN,
    /** The last image alone counts, as in the released code. */
    LAST_IMAGE
  }

  /** Checks that the variant is complete and possible. */
  public GlobalStructuralLoss {
    Settings.requireGiven(NAME, "sampling", sampling);
    Settings.requireGiven(NAME, "similarity", similarity);
    Settings.requireGiven(NAME, "shuffle", shuffle);
    Settings.requireGiven(NAME, "comparison", comparison);
    Settings.requireGiven(NAME, "reduction", reduction);
    Settings.requireGiven(NAME, "remainder", remainder);
    Settings.requireGiven(NAME, "batch", batch);
    Settings.requirePositive(NAME, "temperature", temperature);
    Settings.requirePositive(NAME, "eps", eps);
    if (groupWidth < -1_000_000_000L) {
      throw new IllegalArgumentException(
          NAME + ": groupWidth is " + groupWidth + ", expected at least -1000000000");
    }
  }

  /**
   * Class-balanced samples, 8 per class, on pixels the teacher gets right; as many groups as
   * samples per class; the true divergence of each; mean over images. A usual loss weight is 1 to
   * 10.
   */
  public static GlobalStructuralLoss standard() {
    return new GlobalStructuralLoss(
        Sampling.standard(),
        -1,
        1.0,
        Similarity.SELF,
        Shuffle.ROW_INDEPENDENT,
        Comparison.GROUP_DIVERGENCE,
        Reduction.SUM,
        Remainder.AVERAGED,
        BatchRule.MEAN,
        1e-8,
        0);
  }

  /**
   * The formula of the released code, MaryAhn/GSKD at 641ddeb: divided by the entries of a group,
   * remaining columns added, the last image alone, classes of one pixel skipped. That code
   * scrambles features and gives the student no gradient; here features are read correctly and the
   * gradient flows. Its loss weights are 2 to 10.
   */
  public static GlobalStructuralLoss authorsReleased() {
    return standard()
        .withSampling(Sampling.standard().withMinCandidates(2))
        .withReduction(Reduction.DIV_L)
        .withRemainder(Remainder.ADDED)
        .withBatch(BatchRule.LAST_IMAGE);
  }

  /** The same loss with other samples. */
  public GlobalStructuralLoss withSampling(Sampling sampling) {
    return Settings.with(this, "sampling", sampling);
  }

  /** The same loss with groups of another width. */
  public GlobalStructuralLoss withGroupWidth(long groupWidth) {
    return Settings.with(this, "groupWidth", groupWidth);
  }

  /** The same loss at another temperature. */
  public GlobalStructuralLoss withTemperature(double temperature) {
    return Settings.with(this, "temperature", temperature);
  }

  /** The same loss with another similarity. */
  public GlobalStructuralLoss withSimilarity(Similarity similarity) {
    return Settings.with(this, "similarity", similarity);
  }

  /** The same loss with another shuffle. */
  public GlobalStructuralLoss withShuffle(Shuffle shuffle) {
    return Settings.with(this, "shuffle", shuffle);
  }

  /** The same loss with another comparison. */
  public GlobalStructuralLoss withComparison(Comparison comparison) {
    return Settings.with(this, "comparison", comparison);
  }

  /** The same loss with another divisor. */
  public GlobalStructuralLoss withReduction(Reduction reduction) {
    return Settings.with(this, "reduction", reduction);
  }

  /** The same loss with another rule for remaining columns. */
  public GlobalStructuralLoss withRemainder(Remainder remainder) {
    return Settings.with(this, "remainder", remainder);
  }

  /** The same loss with another rule for the batch. */
  public GlobalStructuralLoss withBatch(BatchRule batch) {
    return Settings.with(this, "batch", batch);
  }

  /** The same loss with another limit of zero vectors. */
  public GlobalStructuralLoss withEps(double eps) {
    return Settings.with(this, "eps", eps);
  }

  /** The same loss with other draws. */
  public GlobalStructuralLoss withSeed(long seed) {
    return Settings.with(this, "seed", seed);
  }

  private boolean needsLabels() {
    return sampling.teacherCorrectOnly() || sampling.strategy() == Sampling.Strategy.CLASS_BALANCED;
  }

  /** {@inheritDoc} Draws depend on an image's place in its batch. */
  @Override
  public OverExamples overExamples() {
    return OverExamples.JOINT;
  }

  /**
   * {@inheritDoc} The teacher's logits, at the size of its features, and labels where the sampling
   * asks for them.
   */
  @Override
  public Needs needs() {
    Needs.Role features = Needs.Role.of("features", 3, 4);
    return new Needs(
        List.of(features),
        sampling.teacherCorrectOnly()
            ? List.of(features, Needs.Role.of("logits", 3, 4))
            : List.of(features),
        needsLabels() ? Set.of(LossInputs.LABELS) : Set.of(),
        Set.of(),
        false);
  }

  /** {@inheritDoc} Samples are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    Tensor teacher = inputs.teacher("features");
    Tensor logits = sampling.teacherCorrectOnly() ? inputs.teacher("logits") : null;
    Tensor labels =
        needsLabels() ? inputs.target(LossInputs.LABELS) : inputs.targets().get(LossInputs.LABELS);
    GlobalStructuralSamples samples = sample(teacher, logits, labels, inputs.step());
    Tensor value = forwardAt(inputs.student("features"), teacher, samples, null, inputs.step());
    return new LossValue(value, samples.counts().select(1, 0).sum());
  }

  /**
   * Draws samples and computes the loss of one batch.
   *
   * @param student feature map [B, Cs, H, W], or tokens [B, N, Cs], each a pixel; f32, f64, f16 or
   *     bf16; of a projector, where one is used
   * @param teacher feature map [B, Ct, H, W] or tokens [B, N, Ct]; dtype may differ, and Ct for
   *     Similarity.SELF
   * @param teacherLogits [B, K, H, W] at the size of the features, or [B, N, K]; null if samples
   *     need not be correct
   * @param labels integers [B, N] of tokens, or [B, H', W'] of any size, resized to the map by the
   *     nearest neighbour; null with RANDOM, RANDOM_GRID or ALL: every pixel is a candidate
   * @param step of training: another one draws other samples and permutations
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is missing or does not fit, for labels of CPU
   *     tensors that are neither classes of teacherLogits nor ignored, and if the loss would be
   *     constant: one channel, one sample, more minCandidates than the map has pixels,
   *     ROW_DIVERGENCE of groups of one column, DESCRIPTOR_RELATION of less than two groups
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(
      Tensor student,
      Tensor teacher,
      @Nullable Tensor teacherLogits,
      @Nullable Tensor labels,
      long step) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = ComparedSamples.maps(this, student, teacher);
          SampleSource source = SampleSource.of(this, maps.teacher(), teacherLogits, labels);
          Tensor number = NativeOps.numberBeside(teacher, step);
          return ComparedSamples.of(maps, source.drawUnlessAll(seed, number)).loss(this, number);
        });
  }

  /**
   * The same without labels: the sampling must be RANDOM, RANDOM_GRID or ALL over all pixels.
   *
   * @param student feature map [B, Cs, H, W] or tokens [B, N, Cs]
   * @param teacher feature map [B, Ct, H, W] or tokens [B, N, Ct]
   * @param step of training
   * @return scalar, in the caller's PointerScope
   * @throws IllegalArgumentException as above
   */
  public Tensor forward(Tensor student, Tensor teacher, long step) {
    return forward(student, teacher, null, null, step);
  }

  /**
   * Draws the samples alone, to look at them or to compare several layers at the same pixels.
   *
   * @param teacher feature map [B, Ct, H, W] or tokens [B, N, Ct]: its size counts
   * @param teacherLogits as for {@link #forward}
   * @param labels as for {@link #forward}
   * @param step of training
   * @return indices and counts, in the caller's PointerScope
   * @throws IllegalArgumentException as for {@link #forward}
   */
  public GlobalStructuralSamples sample(
      Tensor teacher, @Nullable Tensor teacherLogits, @Nullable Tensor labels, long step) {
    Tensor table =
        Scopes.resultOf(
            () -> {
              MapView map = MapView.of(NAME, "teacher", teacher, MapView.Accepts.TOKENS);
              return SampleSource.of(this, map, teacherLogits, labels)
                  .draw(seed, NativeOps.numberBeside(teacher, step));
            });
    try {
      return new GlobalStructuralSamples(
          Scopes.resultOf(() -> ComparedSamples.indices(table)),
          Scopes.resultOf(() -> ComparedSamples.counts(table)));
    } finally {
      table.close(); // the two views keep its memory
    }
  }

  /**
   * Computes the loss at given pixels, and with given permutations.
   *
   * @param student feature map [B, Cs, H, W] or tokens [B, N, Cs]
   * @param teacher feature map [B, Ct, H, W] or tokens [B, N, Ct]
   * @param samples of {@link #sample}, or made by hand
   * @param permutation Int [M, M] for all images or [B, M, M], M = columns of the indices: [i, j]
   *     is the column at place j of row i; null: drawn from seed and step
   * @param step of training
   * @return scalar, in the caller's PointerScope
   * @throws IllegalArgumentException if an argument does not fit, and for CPU tensors whose values
   *     are outside the map or no permutations
   */
  public Tensor forwardAt(
      Tensor student,
      Tensor teacher,
      GlobalStructuralSamples samples,
      @Nullable Tensor permutation,
      long step) {
    return Scopes.resultOf(
        () ->
            ComparedSamples.at(this, student, teacher, samples, permutation)
                .loss(this, NativeOps.numberBeside(student, step)));
  }

  /**
   * Compares rows that were gathered before, as they are: they are not scaled to unit length.
   *
   * @param student rows [B, M, Ds]
   * @param teacher rows [B, M, Dt]
   * @param classes number of classes among the rows of an image, for a negative groupWidth
   * @param permutation Int [M, M] or [B, M, M]; null: drawn from seed and step
   * @param step of training
   * @return scalar, in the caller's PointerScope
   * @throws IllegalArgumentException if an argument does not fit
   */
  public Tensor forwardRows(
      Tensor student, Tensor teacher, int classes, @Nullable Tensor permutation, long step) {
    return Scopes.resultOf(
        () ->
            ComparedSamples.ofRows(this, student, teacher, classes, permutation)
                .loss(this, NativeOps.numberBeside(student, step)));
  }
}
