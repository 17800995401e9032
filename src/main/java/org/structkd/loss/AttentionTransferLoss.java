package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Rows;
import org.structkd.internal.Scopes;
import org.structkd.internal.Settings;

/**
 * Attention transfer (AT): the student's layers shall be active where the teacher's are.
 *
 * <pre>{@code
 * L    = sum over layers of mean over B N of (q_S - q_T)^2      MEAN_SQUARE
 *      = sum over layers of mean over B of |q_S - q_T|          LENGTH
 * q    = a / max(|a|, 1e-12) of each image
 * a[x] = mean over channels of |f[c, x]|^power                  N positions x
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> no unit, at least 0; at most 2 / N, or 2, for each layer. The mean of squares
 *       is small, hence the weight of 1000 and more.
 *   <li><b>Gradient:</b> to the student only, also through |a|. Where the two agree, the length has
 *       gradient 0.
 *   <li><b>Sizes:</b> channels may differ; positions must agree. An image of zeros has q = 0.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 * </ul>
 *
 * <p>Source: S. Zagoruyko, N. Komodakis, "Paying More Attention to Attention", ICLR 2017, arXiv
 * 1612.03928; code szagoruyko/attention-transfer, CIRKD dab64db.
 *
 * @param power of the activations, at least 1: 2 in all codes
 * @param distance of two attention maps
 */
public record AttentionTransferLoss(double power, Distance distance) implements MapLoss {
  private static final String NAME = "attention transfer loss";

  /** The role of its layers. */
  public static final String FEATURES = "features";

  /** How two attention maps of an image are compared. */
  public enum Distance {
    /** The mean over positions of squared differences. */
    MEAN_SQUARE,
    /** The length of the difference. */
    LENGTH
  }

  /** Checks the settings. */
  public AttentionTransferLoss {
    Settings.requireAtLeast(NAME, "power", power, 1);
    Settings.requireGiven(NAME, "distance", distance);
  }

  /** {@return the authors' code, and CIRKD's: squares, a mean over images and positions} */
  public static AttentionTransferLoss standard() {
    return new AttentionTransferLoss(2, Distance.MEAN_SQUARE);
  }

  /** {@return the publication's equation: the length of the difference, a mean over images} */
  public static AttentionTransferLoss paper() {
    return new AttentionTransferLoss(2, Distance.LENGTH);
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.several(FEATURES, 3, 4), false);
  }

  /** {@inheritDoc} The sum over layers. */
  @Override
  public LossValue measure(LossInputs inputs) {
    return LayerInputs.sum(NAME, inputs, FEATURES, MapLoss.super::measure);
  }

  /**
   * Computes the loss of one layer.
   *
   * @param student map [B, Cs, H, W] or tokens [B, N, Cs]; f32, f64, f16 or bf16
   * @param teacher the same of as many positions, of any channels; constant even if it requires
   *     grad
   * @return scalar, f64 if either is, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, or rank, batch, size or
   *     device do not fit, or there is one position, whose attention is 1 whatever is there
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return Scopes.resultOf(
        () -> {
          MapPair maps =
              MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS)
                  .requireSameSize()
                  .inOneType();
          AttentionMap.refuseOnePosition(maps.student());
          Tensor gap =
              AttentionMap.of(maps.student(), power).sub(AttentionMap.of(maps.teacher(), power));
          return distance == Distance.MEAN_SQUARE
              ? Rows.meanOfAll(gap.square())
              : Rows.meanOfAll(Rows.lengths(gap));
        });
  }
}
