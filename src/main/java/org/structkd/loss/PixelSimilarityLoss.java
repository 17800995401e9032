package org.structkd.loss;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;

/**
 * Pixel-wise similarity loss (PSD of DSD): attention shall move between the student's layers as it
 * does between the teacher's.
 *
 * <pre>{@code
 * L       = mean over pairs n < m of layers of mean over B N of (r_S[n,m] - r_T[n,m])^2
 * r[n,m]  = (q_m - q_n) / max(|q_m - q_n|, 1e-12) of each image
 * q_n     = a / max(|a|, 1e-12), a = mean over channels of f^2 at each of the N positions of layer n
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, 0 to 4 / N: the mean of squares is small, hence the weight of 1000.
 *   <li><b>Gradient:</b> to the student only, also through all lengths. An image whose attention
 *       does not move between two layers has none from that pair.
 *   <li><b>Sizes:</b> channels may differ; all layers must have as many positions.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 * </ul>
 *
 * <p>Source: Y. Feng et al., "Double Similarity Distillation for Semantic Image Segmentation", IEEE
 * TIP 2021; code CIRKD dab64db, {@code losses/dsd.py}. Its other part is {@code class_similarity}.
 */
public record PixelSimilarityLoss() implements CountingLoss {
  private static final String NAME = "pixel similarity loss";

  /** The role of its layers. */
  public static final String FEATURES = "features";

  /** The power of activations in the code. */
  private static final double POWER = 2;

  /** {@return the loss as CIRKD has it: it has no settings} */
  public static PixelSimilarityLoss cirkd() {
    return new PixelSimilarityLoss();
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.several(FEATURES, 3, 4), false);
  }

  /** {@inheritDoc} Positions of one layer are counted. */
  @Override
  public LossValue measure(LossInputs inputs) {
    List<Tensor> student = new ArrayList<>();
    List<Tensor> teacher = new ArrayList<>();
    for (LossInputs layer : LayerInputs.of(NAME, inputs, FEATURES)) {
      MapPair maps =
          MapPair.of(NAME, layer.student(FEATURES), layer.teacher(FEATURES), MapView.Accepts.TOKENS)
              .requireSameSize()
              .inOneType();
      AttentionMap.refuseOnePosition(maps.student());
      student.add(AttentionMap.of(maps.student(), POWER));
      teacher.add(AttentionMap.of(maps.teacher(), POWER));
    }
    requireOneSize(student);
    Tensor sum = null;
    int pairs = 0;
    for (int n = 0; n < student.size(); n++) {
      for (int m = n + 1; m < student.size(); m++) {
        Tensor gap = move(student, n, m).sub(move(teacher, n, m));
        Tensor one = Rows.meanOfAll(gap.square());
        sum = sum == null ? one : sum.add(one);
        pairs++;
      }
    }
    return new LossValue(
        sum.div(new Scalar(pairs)), Tensor.create(new long[] {student.get(0).numel()}));
  }

  /**
   * Computes the loss of one batch.
   *
   * @param student layers in order, 2 or more: maps [B, C, H, W] or tokens [B, N, C] of one size
   *     and any channels; f32, f64, f16 or bf16
   * @param teacher as many layers of the same size, constant even if they require grad
   * @return scalar, f64 if one of them is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if a layer is null or closed, or rank, batch, size, device or
   *     number of layers do not fit, or layers have one position
   */
  public Tensor forward(List<Tensor> student, List<Tensor> teacher) {
    return forward(
        new LossInputs(
            byRole(student), byRole(teacher), Map.of(), Map.of(), OptionalLong.empty(), 0, null));
  }

  private static Map<String, Tensor> byRole(List<Tensor> layers) {
    Map<String, Tensor> roles = new HashMap<>();
    for (int i = 0; i < layers.size(); i++) {
      roles.put(FEATURES + "." + i, layers.get(i));
    }
    return roles;
  }

  private static Tensor move(List<Tensor> attention, int from, int to) {
    return Rows.unit(attention.get(to).sub(attention.get(from)));
  }

  private static void requireOneSize(List<Tensor> attention) {
    if (attention.size() < 2) {
      throw new IllegalArgumentException(
          NAME + ": the student has 1 layer, expected 2 or more, between which attention moves");
    }
    long[] expected = attention.get(0).shape();
    for (int i = 1; i < attention.size(); i++) {
      long[] found = attention.get(i).shape();
      if (!Arrays.equals(expected, found)) {
        throw new IllegalArgumentException(
            "%s: layers 0 and %d of the student have %s and %s images and positions, expected layers"
                    .formatted(NAME, i, Arrays.toString(expected), Arrays.toString(found))
                + " of one size");
      }
    }
  }
}
