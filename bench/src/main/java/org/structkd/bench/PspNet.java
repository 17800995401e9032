package org.structkd.bench;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.Conv2dPadding;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The student of the publications: a ResNet-18 of output stride 8 with a pyramid pooling head. It
 * is here for the time that its steps take; what it learns, nobody looks at.
 */
final class PspNet {
  /** Sides of the pooled maps, as Zhao et al., CVPR 2017, have them. */
  private static final long[] PYRAMID = {1, 2, 3, 6};

  /** Channels of the features, which SKD gives this student. */
  private static final int FEATURES = 128;

  private static final int ENCODED = 512;

  /** What losses read, both at an eighth of the image. */
  record Outputs(Tensor features, Tensor logits) {}

  private final Module module = new ModuleDictImpl();
  private int names;
  private final Layer stem = new Layer(3, 64, 7, 2, 1);
  private final List<Block> blocks = new ArrayList<>();
  private final List<Layer> pyramid = new ArrayList<>();
  private final Layer bottleneck;
  private final Conv2dImpl head;

  /** A network with random weights of LibTorch's generator, owned by the open PointerScope. */
  PspNet(int classes) {
    stage(64, 64, 1, 1);
    stage(64, 128, 2, 1);
    stage(128, 256, 1, 2); // dilated instead of strided: output stride 8
    stage(256, ENCODED, 1, 4);
    for (int i = 0; i < PYRAMID.length; i++) {
      pyramid.add(new Layer(ENCODED, ENCODED / PYRAMID.length, 1, 1, 1));
    }
    bottleneck = new Layer(2 * ENCODED, FEATURES, 3, 1, 1);
    head = register(convolution(FEATURES, classes, 1, 1, 1));
    module.train(true);
  }

  Outputs forward(Tensor images) {
    Tensor x = torch.relu(stem.forward(images));
    x =
        torch.max_pool2d(
            x, new long[] {3, 3}, new long[] {2, 2}, new long[] {1, 1}, new long[] {1, 1}, false);
    for (Block block : blocks) {
      x = block.forward(x);
    }
    TensorVector joined = new TensorVector(x);
    for (int i = 0; i < PYRAMID.length; i++) {
      Tensor pooled = torch.adaptive_avg_pool2d(x, PYRAMID[i], PYRAMID[i]);
      Tensor reduced = torch.relu(pyramid.get(i).forward(pooled));
      joined.push_back(enlarged(reduced, x.size(2), x.size(3)));
    }
    Tensor features = torch.relu(bottleneck.forward(torch.cat(joined, 1)));
    return new Outputs(features, head.forward(features));
  }

  void clearGradients() {
    module.zero_grad(true);
  }

  static Tensor enlarged(Tensor map, long height, long width) {
    return torch.upsample_bilinear2d(map, new long[] {height, width}, false);
  }

  /** Two blocks, the depth of a ResNet-18. */
  private void stage(int in, int out, int stride, int dilation) {
    blocks.add(new Block(in, out, stride, dilation));
    blocks.add(new Block(out, out, 1, dilation));
  }

  private Conv2dImpl register(Conv2dImpl convolution) {
    return module.register_module("layer" + names++, convolution);
  }

  /** Two convolutions and the way around them. */
  private final class Block {
    private final Layer first;
    private final Layer second;
    private final Layer around; // null: the input as it is

    Block(int in, int out, int stride, int dilation) {
      first = new Layer(in, out, 3, stride, dilation);
      second = new Layer(out, out, 3, 1, dilation);
      around = in == out && stride == 1 ? null : new Layer(in, out, 1, stride, 1);
    }

    Tensor forward(Tensor input) {
      Tensor x = second.forward(torch.relu(first.forward(input)));
      return torch.relu(x.add(around == null ? input : around.forward(input)));
    }
  }

  /** Convolution and batch normalisation. */
  private final class Layer {
    private final Conv2dImpl convolution;
    private final BatchNorm2dImpl norm;

    @SuppressWarnings("unchecked") // a generic varargs array
    Layer(int in, int out, int kernel, int stride, int dilation) {
      convolution = register(convolution(in, out, kernel, stride, dilation));
      try (PointerScope temporaries = new PointerScope(BatchNormOptions.class)) {
        BatchNorm2dImpl made = new BatchNorm2dImpl(new BatchNormOptions(out));
        norm = module.register_module("layer" + names++, made);
      }
    }

    Tensor forward(Tensor input) {
      return norm.forward(convolution.forward(input));
    }
  }

  // The scope releases the options but not the layer: it takes only objects of the classes it
  // names.
  @SuppressWarnings("unchecked") // a generic varargs array
  private static Conv2dImpl convolution(int in, int out, int kernel, int stride, int dilation) {
    try (PointerScope temporaries =
        new PointerScope(
            Conv2dOptions.class, Conv2dPadding.class, LongPointer.class, BoolPointer.class)) {
      Conv2dOptions options = new Conv2dOptions(in, out, new LongPointer(kernel, kernel));
      options.stride().put(new long[] {stride, stride}); // put(long, long) takes an index
      options.dilation().put(new long[] {dilation, dilation});
      long padding = (long) dilation * (kernel / 2);
      options.padding().put(new LongPointer(padding, padding));
      options.bias().put(false);
      return new Conv2dImpl(options);
    }
  }
}
