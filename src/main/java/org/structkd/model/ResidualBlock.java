package org.structkd.model;

import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Layers;

/** Two 3x3 convolutions, and a shortcut around both. */
interface ResidualBlock {
  /** {@return the result [B, out, H, W] of a map [B, in, H, W], H and W over the stride} */
  Tensor forward(Tensor map);

  /** Where normalisation and ReLU stand: what networks of such blocks differ by. */
  enum Order {
    /** Convolution, normalisation, ReLU; the shortcut is added before the last ReLU. */
    CONVOLUTION_FIRST {
      @Override
      UnaryOperator<Tensor> first(Module owner, String name, int in, int out) {
        return ConvolutionLayer.normalized(owner, name, in, out, 1)::forward;
      }

      @Override
      ResidualBlock block(Module owner, String name, int in, int out, int stride) {
        return new Basic(owner, name, in, out, stride);
      }

      @Override
      UnaryOperator<Tensor> last(Module owner, String name, int channels) {
        return UnaryOperator.identity();
      }
    },

    /** Normalisation, ReLU, convolution, and both once more behind the last block. */
    NORMALISATION_FIRST {
      @Override
      UnaryOperator<Tensor> first(Module owner, String name, int in, int out) {
        return Layers.convolution(owner, name + "_conv", in, out, 3, 1, false)::forward;
      }

      @Override
      ResidualBlock block(Module owner, String name, int in, int out, int stride) {
        return new PreActivated(owner, name, in, out, stride);
      }

      @Override
      UnaryOperator<Tensor> last(Module owner, String name, int channels) {
        BatchNorm2dImpl norm = Layers.batchNorm(owner, name + "_norm", channels);
        return map -> torch.relu(norm.forward(map));
      }
    };

    /** {@return the first convolution, with what follows it} */
    abstract UnaryOperator<Tensor> first(Module owner, String name, int in, int out);

    /** {@return a block} */
    abstract ResidualBlock block(Module owner, String name, int in, int out, int stride);

    /** {@return what stands behind the last block} */
    abstract UnaryOperator<Tensor> last(Module owner, String name, int channels);
  }

  /** He et al., CVPR 2016, with the shortcut A, which has no parameters. */
  final class Basic implements ResidualBlock {
    private final ConvolutionLayer first;
    private final Conv2dImpl second;
    private final BatchNorm2dImpl norm;
    private final int more;
    private final int stride;

    Basic(Module owner, String name, int in, int out, int stride) {
      first = ConvolutionLayer.normalized(owner, name + "_first", in, out, stride);
      second = Layers.convolution(owner, name + "_second_conv", out, out, 3, 1, false);
      norm = Layers.batchNorm(owner, name + "_second_norm", out);
      more = out - in;
      this.stride = stride;
    }

    @Override
    public Tensor forward(Tensor map) {
      return torch.relu(norm.forward(second.forward(first.forward(map))).add(shortcut(map)));
    }

    /** Every second row and column where the block halves the map; new channels are zeros. */
    private Tensor shortcut(Tensor map) {
      Tensor some = map;
      for (int axis = 2; axis < 4 && stride > 1; axis++) {
        some = some.slice(axis, new LongOptional(0), new LongOptional(), stride);
      }
      long[] behindChannels = {0, 0, 0, 0, 0, more};
      return more == 0 ? some : torch.constant_pad_nd(some, behindChannels, new Scalar(0));
    }
  }

  /** Zagoruyko and Komodakis, BMVC 2016, without dropout; other channels by a 1x1 convolution. */
  final class PreActivated implements ResidualBlock {
    private final BatchNorm2dImpl norm;
    private final ConvolutionLayer first;
    private final Conv2dImpl second;
    private final @Nullable Conv2dImpl shortcut;

    PreActivated(Module owner, String name, int in, int out, int stride) {
      norm = Layers.batchNorm(owner, name + "_norm", in);
      first = ConvolutionLayer.normalized(owner, name + "_first", in, out, stride);
      second = Layers.convolution(owner, name + "_second_conv", out, out, 3, 1, false);
      shortcut =
          in == out
              ? null
              : Layers.convolution(owner, name + "_shortcut_conv", in, out, 1, stride, false);
    }

    @Override
    public Tensor forward(Tensor map) {
      Tensor active = torch.relu(norm.forward(map));
      Tensor around = shortcut == null ? map : shortcut.forward(active);
      return second.forward(first.forward(active)).add(around);
    }
  }
}
