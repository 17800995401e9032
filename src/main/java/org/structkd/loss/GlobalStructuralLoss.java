package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.StructkdException;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.NativeOps;
import org.structkd.internal.Scopes;
import org.structkd.internal.TensorArguments;

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
 * @param config the variant
 */
public record GlobalStructuralLoss(GlobalStructuralConfig config) {
  private static final String NAME = "global structural loss";

  /** Checks that there is a variant. */
  public GlobalStructuralLoss {
    if (config == null) {
      throw new IllegalArgumentException(NAME + ": config is null");
    }
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
          MapPair maps = maps(student, teacher);
          SampleSource source = source(maps.teacher(), teacherLogits, labels);
          Tensor number = NativeOps.numberBeside(teacher, step);
          if (source.takesAll()) {
            TensorOptional none = new TensorOptional();
            return compare(maps, none, none, null, true, 1, number);
          }
          Tensor table = source.draw(config.seed(), number);
          return compare(maps, indices(table), counts(table), null, true, 1, number);
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
              return source(map, teacherLogits, labels)
                  .draw(config.seed(), NativeOps.numberBeside(teacher, step));
            });
    try {
      return new GlobalStructuralSamples(
          Scopes.resultOf(() -> table.narrow(1, 2, table.size(1) - 2)),
          Scopes.resultOf(() -> table.narrow(1, 0, 2)));
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
        () -> {
          MapPair maps = maps(student, teacher);
          if (samples == null) {
            throw new IllegalArgumentException(NAME + ": samples is null");
          }
          SampleArguments.requireSamples(samples, maps.student());
          if (permutation != null) {
            SampleArguments.requirePermutation(
                permutation, student.size(0), samples.indices().size(1));
          }
          return compare(
              maps,
              new TensorOptional(samples.indices()),
              new TensorOptional(samples.counts()),
              permutation,
              true,
              1,
              NativeOps.numberBeside(student, step));
        });
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
    requireRows("student", student);
    requireRows("teacher", teacher);
    if (classes < 1) {
      throw new IllegalArgumentException(
          NAME + ": classes is " + classes + ", expected at least 1");
    }
    if (permutation != null) {
      SampleArguments.requirePermutation(permutation, student.size(0), student.size(1));
    }
    return Scopes.resultOf(
        () -> {
          // [B, M, D] seen as a map [B, D, 1, M].
          Tensor s = student.transpose(1, 2).unsqueeze(2);
          Tensor t = teacher.transpose(1, 2).unsqueeze(2);
          TensorOptional none = new TensorOptional();
          Tensor number = NativeOps.numberBeside(s, step);
          return compare(maps(s, t), none, none, permutation, false, classes, number);
        });
  }

  private MapPair maps(Tensor student, Tensor teacher) {
    MapPair maps = MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS);
    return (config.similarity() == Similarity.CROSS ? maps.requireSameChannels() : maps)
        .requireSameSize();
  }

  private static void requireRows(String argument, Tensor rows) {
    TensorArguments.requireOpen(NAME, argument, rows);
    if (rows.dim() != 3) {
      throw new IllegalArgumentException(
          NAME
              + ": "
              + TensorArguments.describe(argument, rows)
              + " has rank "
              + rows.dim()
              + ", expected 3: [batch, samples, channels]");
    }
  }

  private SampleSource source(
      MapView teacher, @Nullable Tensor teacherLogits, @Nullable Tensor labels) {
    SamplingConfig sampling = config.sampling();
    // Balanced samples come to so many for each class, as the negative width does.
    long perClass = -config.groupWidth();
    ConstantLoss.refuseIf(
        config.comparison() == GroupComparison.DESCRIPTOR_RELATION
            && sampling.strategy() == Sampling.CLASS_BALANCED
            && perClass > 0
            && sampling.samples() / perClass < 2,
        teacher,
        "gives "
            + sampling.samples()
            + " samples per class, of which groupWidth "
            + -perClass
            + " makes less than two groups to relate; expected at most half of them");
    return SampleSource.of(sampling, teacher, teacherLogits, labels);
  }

  private void refuseConstant(
      MapView student,
      TensorOptional indices,
      TensorOptional counts,
      boolean normalize,
      int classes) {
    ConstantLoss.refuseIf(
        normalize && student.map().size(1) == 1,
        student,
        "has one channel, so that every cosine is 1 or -1; expected 2 channels or more");
    long pixels = student.map().size(2) * student.map().size(3);
    long samples = indices.has_value() ? indices.get().size(1) : pixels;
    ConstantLoss.refuseIf(
        samples == 1 || pixels == 1,
        student,
        "is compared at one pixel, whose cosine with itself is 1; expected 2 or more");
    // Where images have classes of their own, only the least of a negative width is known.
    long width = config.groupWidth();
    long least = width >= 0 ? width : -width * (counts.has_value() ? 1 : classes);
    ConstantLoss.refuseIf(
        config.comparison() == GroupComparison.ROW_DIVERGENCE
            && least == 1
            && (width > 0 || !counts.has_value()),
        student,
        "is cut by groupWidth "
            + width
            + " into single columns, and a softmax over one is 1; expected 2 or more");
    ConstantLoss.refuseIf(
        config.comparison() == GroupComparison.DESCRIPTOR_RELATION
            && (least == 0 || samples / least < 2),
        student,
        "gives "
            + samples
            + " samples, of which groupWidth "
            + width
            + " makes less than two groups to relate; expected at most half of them");
  }

  private static TensorOptional indices(Tensor table) {
    return new TensorOptional(table.narrow(1, 2, table.size(1) - 2));
  }

  private static TensorOptional counts(Tensor table) {
    return new TensorOptional(table.narrow(1, 0, 2));
  }

  private Tensor compare(
      MapPair maps,
      TensorOptional indices,
      TensorOptional counts,
      @Nullable Tensor permutation,
      boolean normalize,
      int classes,
      Tensor step) {
    refuseConstant(maps.student(), indices, counts, normalize, classes);
    TensorOptional order =
        permutation == null
            ? new TensorOptional()
            : new TensorOptional(permutation.to(ScalarType.Int));
    Tensor student = maps.student().map();
    Tensor teacher = maps.teacher().map();
    if (config.comparison() == GroupComparison.GROUP_DIVERGENCE) {
      return NativeOps.globalStructural(
          student,
          teacher,
          indices,
          counts,
          order,
          normalize,
          config.similarity().ordinal(),
          config.shuffle().ordinal(),
          config.reduction().ordinal(),
          config.remainder().ordinal(),
          config.batch().ordinal(),
          config.groupWidth(),
          config.temperature(),
          config.eps(),
          classes,
          config.seed(),
          step);
    }
    return NativeOps.globalStructuralComposed(
        student,
        teacher,
        indices,
        counts,
        order,
        config.comparison() == GroupComparison.DESCRIPTOR_RELATION,
        normalize,
        config.similarity().ordinal(),
        config.shuffle().ordinal(),
        config.remainder().ordinal(),
        config.batch().ordinal(),
        config.groupWidth(),
        config.temperature(),
        config.eps(),
        classes,
        config.seed(),
        step);
  }
}
