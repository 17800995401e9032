package org.structkd.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.model.NormedConvolution.Kernel;

/**
 * A residual network for large images, under torchvision's names: a 7x7 convolution and a pooling,
 * then four stages of blocks. A block is two 3x3 convolutions, or a bottleneck of 1x1, 3x3 and 1x1,
 * which has the stride in its 3x3; where channels change, the way around is a 1x1 convolution.
 *
 * <p>Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
 * 2016, table 1; the stride's place as in torchvision, "ResNet v1.5".
 */
final class ResidualBackbone implements BackboneLayers {
  /** Channels of the first convolution at width 1. */
  private static final int WIDTH = 64;

  /** Channels that a bottleneck puts out for one inside. */
  private static final int EXPANSION = 4;

  /** Stride of the layers before the first stage. */
  private static final int STEM_STRIDE = 4;

  private final NormedConvolution stem;
  private final List<List<UnaryOperator<Tensor>>> stages = new ArrayList<>();
  private final List<Integer> channels = new ArrayList<>();

  /**
   * Adds the layers to a module.
   *
   * @param blocks of each stage
   * @param bottleneck whether blocks have three convolutions
   */
  ResidualBackbone(
      Module owner, BackboneNet.Config config, List<Integer> blocks, boolean bottleneck) {
    int width = BackboneLayers.scaled(WIDTH, config.width());
    stem =
        new NormedConvolution(
            owner, "conv1", "bn1", config.channels(), width, Kernel.of(7).withStride(2));
    OutputStride strides = new OutputStride(config.outputStride(), STEM_STRIDE);
    int in = width;
    for (int stage = 0; stage < blocks.size(); stage++) {
      Module layer = NormedConvolution.below(owner, "layer" + (stage + 1));
      int inner = width << stage;
      int out = bottleneck ? EXPANSION * inner : inner;
      List<UnaryOperator<Tensor>> made = new ArrayList<>();
      for (int block = 0; block < blocks.get(stage); block++) {
        OutputStride.Step step = strides.next(stage > 0 && block == 0 ? 2 : 1);
        Module own = NormedConvolution.below(layer, Integer.toString(block));
        made.add(
            bottleneck
                ? Block.ofThree(own, in, inner, out, step)
                : Block.ofTwo(own, in, out, step));
        in = out;
      }
      stages.add(made);
      channels.add(out);
    }
  }

  @Override
  public List<Tensor> stages(Tensor images, Stages kept) {
    return BackboneLayers.through(stages, kept.of(this::quarter, images), kept);
  }

  private Tensor quarter(Tensor images) {
    return torch.max_pool2d(
        torch.relu(stem.forward(images)),
        new long[] {3, 3},
        new long[] {2, 2},
        new long[] {1, 1},
        new long[] {1, 1},
        false);
  }

  @Override
  public List<Integer> channels() {
    return channels;
  }

  /**
   * Convolutions, and the way around them.
   *
   * @param around null: the input as it is
   */
  private record Block(List<NormedConvolution> through, @Nullable NormedConvolution around)
      implements UnaryOperator<Tensor> {
    static Block ofTwo(Module owner, int in, int out, OutputStride.Step step) {
      Kernel first = Kernel.of(3).withStride(step.stride()).withDilation(step.dilation());
      return new Block(
          List.of(
              new NormedConvolution(owner, "conv1", "bn1", in, out, first),
              new NormedConvolution(
                  owner, "conv2", "bn2", out, out, Kernel.of(3).withDilation(step.after()))),
          around(owner, in, out, step));
    }

    static Block ofThree(Module owner, int in, int inner, int out, OutputStride.Step step) {
      Kernel middle = Kernel.of(3).withStride(step.stride()).withDilation(step.dilation());
      return new Block(
          List.of(
              new NormedConvolution(owner, "conv1", "bn1", in, inner, Kernel.of(1)),
              new NormedConvolution(owner, "conv2", "bn2", inner, inner, middle),
              new NormedConvolution(owner, "conv3", "bn3", inner, out, Kernel.of(1))),
          around(owner, in, out, step));
    }

    /** Channels change wherever a stride does. */
    private static @Nullable NormedConvolution around(
        Module owner, int in, int out, OutputStride.Step step) {
      return in == out
          ? null
          : NormedConvolution.sequential(
              owner, "downsample", in, out, Kernel.of(1).withStride(step.stride()));
    }

    @Override
    public Tensor apply(Tensor input) {
      Tensor map = input;
      for (int i = 0; i < through.size(); i++) {
        map = through.get(i).forward(i == 0 ? map : torch.relu(map));
      }
      return torch.relu(map.add(around == null ? input : around.forward(input)));
    }
  }
}
