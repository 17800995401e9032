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
 * MobileNetV2 under torchvision's names: inverted residual blocks, which widen the map by a 1x1
 * convolution, look at each channel by itself and narrow it again, with ReLU6 in between. The last
 * 1x1 convolution belongs to classifiers; heads for segmentation read the map before it.
 *
 * <p>Source: M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, "MobileNetV2: Inverted
 * Residuals and Linear Bottlenecks", CVPR 2018, table 2; section 6.3 for segmentation.
 */
final class MobileBackbone implements BackboneLayers {
  /**
   * A row of table 2.
   *
   * @param expansion factor of the channels inside a block
   * @param channels of its result
   * @param blocks how many
   * @param stride of the first
   */
  private record Row(int expansion, int channels, int blocks, int stride) {}

  private static final List<Row> TABLE =
      List.of(
          new Row(1, 16, 1, 1),
          new Row(6, 24, 2, 2),
          new Row(6, 32, 3, 2),
          new Row(6, 64, 4, 2),
          new Row(6, 96, 3, 1),
          new Row(6, 160, 3, 2),
          new Row(6, 320, 1, 1));

  /** Rows whose last map is that of a stage: the next one halves it, or there is none. */
  private static final List<Integer> ENDS = List.of(1, 2, 4, 6);

  private static final int STEM = 32;
  private static final int STEM_STRIDE = 2;
  private static final int LAST = 1280;

  private final NormedConvolution stem;
  private final List<List<UnaryOperator<Tensor>>> stages = new ArrayList<>();
  private final List<Integer> channels = new ArrayList<>();
  private final @Nullable NormedConvolution last;
  private final int lastChannels;

  /** Adds the layers to a module. */
  MobileBackbone(Module owner, BackboneNet.Config config) {
    Module features = NormedConvolution.below(owner, "features");
    int in = BackboneLayers.scaled(STEM, config.width());
    stem =
        NormedConvolution.sequential(
            features, "0", config.channels(), in, Kernel.of(3).withStride(2));
    OutputStride strides = new OutputStride(config.outputStride(), STEM_STRIDE);
    int index = 1;
    List<UnaryOperator<Tensor>> stage = new ArrayList<>();
    for (int row = 0; row < TABLE.size(); row++) {
      Row of = TABLE.get(row);
      int out = BackboneLayers.scaled(of.channels, config.width());
      for (int block = 0; block < of.blocks; block++) {
        Module own =
            NormedConvolution.below(
                NormedConvolution.below(features, Integer.toString(index++)), "conv");
        int stride = block == 0 ? of.stride : 1;
        stage.add(new Block(own, in, out, of.expansion, stride, strides.next(stride)));
        in = out;
      }
      if (ENDS.contains(row)) {
        stages.add(stage);
        channels.add(out);
        stage = new ArrayList<>();
      }
    }
    boolean classifies = config.head() == BackboneNet.Head.CLASSIFIER;
    lastChannels = classifies ? BackboneLayers.scaled(LAST, Math.max(1, config.width())) : in;
    last =
        classifies
            ? NormedConvolution.sequential(
                features, Integer.toString(index), in, lastChannels, Kernel.of(1))
            : null;
  }

  @Override
  public List<Tensor> stages(Tensor images, Stages kept) {
    return BackboneLayers.through(
        stages, kept.of(image -> torch.relu6(stem.forward(image)), images), kept);
  }

  @Override
  public List<Integer> channels() {
    return channels;
  }

  @Override
  public Tensor last(Tensor deepest) {
    return last == null ? deepest : torch.relu6(last.forward(deepest));
  }

  @Override
  public int lastChannels() {
    return lastChannels;
  }

  /** An inverted residual block; the input is added where neither size nor channels change. */
  private static final class Block implements UnaryOperator<Tensor> {
    private final List<NormedConvolution> inside = new ArrayList<>();
    private final NormedConvolution narrowing;
    private final boolean isResidual;

    Block(Module owner, int in, int out, int expansion, int stride, OutputStride.Step step) {
      int wide = expansion * in;
      if (expansion > 1) {
        inside.add(NormedConvolution.sequential(owner, "0", in, wide, Kernel.of(1)));
      }
      Kernel each =
          Kernel.of(3).withStride(step.stride()).withDilation(step.dilation()).withGroups(wide);
      int index = inside.size();
      inside.add(NormedConvolution.sequential(owner, Integer.toString(index), wide, wide, each));
      narrowing =
          new NormedConvolution(
              owner,
              Integer.toString(index + 1),
              Integer.toString(index + 2),
              wide,
              out,
              Kernel.of(1));
      isResidual = stride == 1 && in == out; // a stride that became a dilation is one here, too
    }

    @Override
    public Tensor apply(Tensor input) {
      Tensor map = input;
      for (NormedConvolution convolution : inside) {
        map = torch.relu6(convolution.forward(map));
      }
      map = narrowing.forward(map);
      return isResidual ? map.add(input) : map;
    }
  }
}
