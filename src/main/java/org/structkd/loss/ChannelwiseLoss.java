package org.structkd.loss;

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
 * Channel-wise loss: pulls the place on the map at which each of the student's channels is active
 * towards that of the teacher's channel.
 *
 * <pre>{@code
 * L   = t^2 / (B C) * sum over images and channels of KL(q_T, q_S)      t: the temperature
 * q   = softmax over the positions of a channel of activations / t
 * }</pre>
 *
 * <ul>
 *   <li><b>Value:</b> at least 0, in nats times t^2; 0 when the distributions agree. A mean over
 *       channels; each is one distribution, so that the size of the map does not divide it.
 *   <li><b>Gradient:</b> {@code t / (B C) (q_S - q_T)}, to the student only; the teacher is
 *       constant even if it requires grad. A position that is not valid has gradient 0.
 *   <li><b>Memory:</b> some numbers per thread and position of one channel; nothing that grows with
 *       channels or batch.
 *   <li><b>Precision:</b> relative, however close student and teacher are.
 *   <li><b>Threads:</b> immutable, may be shared. Equal inputs give equal bits, whatever the number
 *       of LibTorch threads.
 *   <li><b>NaN:</b> a NaN among the activations of a valid position gives a NaN loss. A position at
 *       minus infinity has probability 0.
 * </ul>
 *
 * <p>Source: C. Shu et al., "Channel-wise Knowledge Distillation for Dense Prediction", ICCV 2021,
 * arXiv 2011.13256. What the public codes do differently, docs/methods/channelwise.md says.
 *
 * @param temperature divides all activations, finite and greater than 0: the higher it is, the more
 *     positions count
 */
public record ChannelwiseLoss(double temperature) implements MapLoss {
  private static final String NAME = "channel-wise loss";

  /** Checks the temperature. */
  public ChannelwiseLoss {
    Settings.requirePositive(NAME, "temperature", temperature);
  }

  /**
   * CIRKD at revision dab64db, and the publication: temperature 4. Its loss weight is 3 on logits
   * and 50 on features.
   */
  public static ChannelwiseLoss cirkd() {
    return new ChannelwiseLoss(4);
  }

  /**
   * MMRazor at revision 90c7af1, its configuration for Cityscapes: temperature 1. Its loss weight
   * there is 5, on logits.
   */
  public static ChannelwiseLoss mmrazor() {
    return new ChannelwiseLoss(1);
  }

  /** The same loss at another temperature. */
  public ChannelwiseLoss withTemperature(double temperature) {
    return new ChannelwiseLoss(temperature);
  }

  @Override
  public Needs needs() {
    return Needs.pair(Needs.Role.of("features", 3, 4), true);
  }

  /**
   * Computes the loss of one batch over all positions.
   *
   * @param student features or logits [B, C, H, W]; or tokens [B, N, C]. f32, f64, f16 or bf16
   * @param teacher map of the same shape, same device; the dtype may differ (the wider dtype is
   *     used, the gradient comes back in the student's)
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException if an argument is null or closed, rank, size, dtype or device
   *     do not fit, or the map has one position: a softmax over it never changes
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher) {
    return forward(student, teacher, null);
  }

  /**
   * The same over some positions only: the softmax of a channel runs over them. An image without
   * any is left out of the mean; if there is none at all, the loss is 0.
   *
   * @param student map as above
   * @param teacher map of the same shape
   * @param mask bool or u8 [B, H, W], or [B, N] of tokens; true where a position takes part; null:
   *     all do
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   * @throws StructkdException if native code is missing or fails
   */
  public Tensor forward(Tensor student, Tensor teacher, @Nullable Tensor mask) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(student, teacher);
          return call(maps, mask == null ? null : maps.student().mask(mask));
        });
  }

  /**
   * The same over the labelled positions: those whose label is the ignore index or -1 take no part.
   *
   * @param student map as above
   * @param teacher map of the same shape
   * @param labels integers [B, N] of tokens, or [B, H', W'] of any size, resized to the map by the
   *     nearest neighbour
   * @param ignoreIndex the label of positions that take no part, usually 255
   * @return scalar, f64 for f64 inputs, else f32; in the caller's PointerScope
   * @throws IllegalArgumentException as above
   * @throws StructkdException if native code is missing or fails
   */
  @Override
  public Tensor forward(Tensor student, Tensor teacher, Tensor labels, long ignoreIndex) {
    return Scopes.resultOf(
        () -> {
          MapPair maps = maps(student, teacher);
          return call(maps, Labels.of(maps.student(), labels, ignoreIndex).valid());
        });
  }

  private static MapPair maps(Tensor student, Tensor teacher) {
    return MapPair.of(NAME, student, teacher, MapView.Accepts.TOKENS)
        .requireSameChannels()
        .requireSameSize();
  }

  private Tensor call(MapPair maps, @Nullable Tensor mask) {
    Tensor map = maps.student().map();
    ConstantLoss.refuseIf(
        map.size(2) * map.size(3) == 1,
        maps.student(),
        "has one position, and a softmax over one position is 1 whatever its activation; expected a"
            + " larger map");
    return Operator.call("channelwise", map, maps.teacher().map(), mask, temperature);
  }
}
