package org.structkd.model;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Named;
import org.structkd.internal.Scopes;

/**
 * How often a network that scores every pixel looks at an image before it answers: in windows, at
 * several sizes, mirrored or not. The answer is the mean of all looks.
 *
 * <p>Each scale makes the image larger or smaller, bilinearly. The network sees it in windows, or
 * as a whole, filled up with 0 at the right and the bottom where its size is no {@linkplain
 * TappedNetwork#sizeMultiple multiple} that the network takes. Scores are turned back, brought to
 * the size of the image, bilinearly, and averaged as probabilities, after a softmax over the
 * classes; those of a single look stay as they are.
 *
 * <p>Source: {@code SegTTAModel} of mmsegmentation 3ef3c90, which averages probabilities, too. The
 * released code of Liu et al., CVPR 2019 (SKD), averages scores before the softmax.
 *
 * @param window how images are looked at in parts; null: as a whole
 * @param scales factors of the size, above 0 and at most {@value #MAX_SCALE}; at least one
 * @param flip whether each scale is also looked at mirrored, left to right
 */
public record ScoreAveraging(@Nullable SlidingWindow window, List<Double> scales, boolean flip) {
  /** Largest factor: 64 times as many pixels. */
  public static final int MAX_SCALE = 8;

  /**
   * Checks the scales.
   *
   * @throws IllegalArgumentException if there is none, or one is out of its range; names them
   */
  public ScoreAveraging {
    scales = List.copyOf(scales);
    if (scales.isEmpty() || scales.stream().anyMatch(s -> !(s > 0 && s <= MAX_SCALE))) {
      throw new IllegalArgumentException(
          "scales is %s, expected one or more, each above 0 and at most %d"
              .formatted(scales, MAX_SCALE));
    }
  }

  /** {@return one look at the whole image} */
  public static ScoreAveraging none() {
    return new ScoreAveraging(null, List.of(1.0), false);
  }

  /**
   * {@return a network that answers so, by one tap; it does not own the other}
   *
   * @param network with a single input, images [B, C, H, W]
   * @param tap class scores [B, K, h, w], which are brought to the size of what was seen where h
   *     and w are others
   * @throws IllegalArgumentException if it has several inputs, or no such tap
   */
  public TappedNetwork of(TappedNetwork network, String tap) {
    if (network.inputs().size() != 1) {
      throw new IllegalArgumentException(
          "a network reads %s, expected a single input, of which scores are averaged over looks"
              .formatted(network.inputs()));
    }
    if (!network.taps().contains(tap)) {
      throw Named.missing("the network", "tap", tap, network.taps());
    }
    return new Averaged(network, tap, this);
  }

  private record Averaged(TappedNetwork network, String tap, ScoreAveraging how)
      implements TappedNetwork {
    @Override
    public Set<String> taps() {
      return Set.of(tap);
    }

    @Override
    public Set<String> inputs() {
      return network.inputs();
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      String input = network.inputs().iterator().next();
      Tensor images = Named.in(inputs, "what the network was given", "input", input);
      if (images.dim() != 4) {
        throw new IllegalArgumentException(
            "%s have %d dimensions, expected [B, C, H, W]".formatted(input, images.dim()));
      }
      return Map.of(tap, how.mean(images, network.sizeMultiple(), part -> answer(input, part)));
    }

    /** The network's scores, of the size of what it sees. */
    private Tensor answer(String input, Tensor part) {
      Tensor scores = network.infer(Map.of(input, part)).get(tap);
      if (scores.dim() != 4) {
        throw new IllegalArgumentException(
            "tap \"%s\" has %d dimensions, expected class scores [B, K, H, W]"
                .formatted(tap, scores.dim()));
      }
      return resized(scores, part.size(2), part.size(3));
    }

    @Override
    public void to(Device device) {
      network.to(device);
    }
  }

  /**
   * The mean of all looks.
   *
   * @param multiple that the network takes; 0: it does not tell
   * @param network makes scores [B, K, H, W] of images [B, C, H, W]
   */
  private Tensor mean(Tensor images, int multiple, UnaryOperator<Tensor> network) {
    return Scopes.resultOf(
        () -> {
          int looks = scales.size() * (flip ? 2 : 1);
          Tensor sum = null;
          for (double scale : scales) {
            for (boolean mirrored : flip ? new boolean[] {false, true} : new boolean[] {false}) {
              if (looks == 1) {
                return look(images, scale, mirrored, multiple, network);
              }
              sum = plus(sum, () -> look(images, scale, mirrored, multiple, network).softmax(1));
            }
          }
          return sum.mul_(new Scalar(1.0 / looks));
        });
  }

  /** Adds another look, of which nothing is kept. */
  private static Tensor plus(@Nullable Tensor sum, Supplier<Tensor> look) {
    if (sum == null) {
      return look.get();
    }
    try (PointerScope temporaries = new PointerScope()) {
      sum.add_(look.get());
    }
    return sum;
  }

  private Tensor look(
      Tensor images, double scale, boolean mirrored, int multiple, UnaryOperator<Tensor> network) {
    return Scopes.resultOf(
        () -> {
          long height = images.size(2);
          long width = images.size(3);
          Tensor scaled = resized(images, scaled(height, scale), scaled(width, scale));
          Tensor seen = mirrored ? scaled.flip(3) : scaled;
          Tensor scores = windows(seen.size(2), seen.size(3), multiple).scores(seen, network);
          return resized(mirrored ? scores.flip(3) : scores, height, width);
        });
  }

  /** How an image of a size is looked at; as it was asked by a network that may know one size. */
  private SlidingWindow windows(long rows, long columns, int multiple) {
    if (window == null) {
      return SlidingWindow.around(rows, columns, Math.max(1, multiple));
    }
    return multiple == 0 ? window : window.within(rows, columns, multiple);
  }

  private static long scaled(long size, double scale) {
    return Math.max(1, Math.round(size * scale));
  }

  private static Tensor resized(Tensor map, long height, long width) {
    return map.size(2) == height && map.size(3) == width
        ? map
        : torch.upsample_bilinear2d(map, new long[] {height, width}, false);
  }
}
