package com.example.distill;

import java.util.Map;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.Conv2dPadding;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * A small encoder-decoder for segmentation. The encoder halves the map three times, the decoder
 * goes back to a quarter of the image and joins what the encoder had there.
 */
final class SegmentationNet extends Module {
  private final Block half;
  private final Block quarter;
  private final Block skip;
  private final Block eighth;
  private final Block bottom;
  private final Block decoder;
  private final Conv2dImpl head;

  /** The widest layer has 4 * width channels, the features 2 * width. */
  SegmentationNet(int width, int classes) {
    half = new Block("half", 1, width, 2);
    quarter = new Block("quarter", width, 2 * width, 2);
    skip = new Block("skip", 2 * width, 2 * width, 1);
    eighth = new Block("eighth", 2 * width, 4 * width, 2);
    bottom = new Block("bottom", 4 * width, 4 * width, 1);
    decoder = new Block("decoder", 6 * width, 2 * width, 1);
    head = register_module("head", convolution(2 * width, classes, 1, 1, true));
  }

  /**
   * Maps images [B, 1, H, W] to the outputs that losses read: "features" [B, 2 width, H/4, W/4],
   * "logits" [B, K, H/4, W/4] and "upsampled", the logits at the size of the image.
   */
  Map<String, Tensor> forward(Tensor images) {
    Tensor fine = skip.forward(quarter.forward(half.forward(images)));
    Tensor coarse = bottom.forward(eighth.forward(fine));
    Tensor joined = torch.cat(new TensorVector(resized(coarse, fine), fine), 1);
    Tensor features = decoder.forward(joined);
    Tensor logits = head.forward(features);
    return Map.of("features", features, "logits", logits, "upsampled", resized(logits, images));
  }

  /** The same without what a gradient would need. */
  Map<String, Tensor> infer(Tensor images) {
    try (NoGradGuard noGrad = new NoGradGuard()) {
      return forward(images);
    }
  }

  private static Tensor resized(Tensor map, Tensor target) {
    return torch.upsample_bilinear2d(map, new long[] {target.size(2), target.size(3)}, false);
  }

  long parameterCount() {
    long count = 0;
    try (PointerScope scope = new PointerScope()) {
      TensorVector parameters = parameters();
      for (long i = 0; i < parameters.size(); i++) {
        count += parameters.get(i).numel();
      }
    }
    return count;
  }

  /** Convolution, batch norm, ReLU. */
  private final class Block {
    private final Conv2dImpl convolution;
    private final BatchNorm2dImpl norm;

    @SuppressWarnings("unchecked") // a generic varargs array
    Block(String name, int in, int out, int stride) {
      convolution = register_module(name + "_conv", convolution(in, out, 3, stride, false));
      try (PointerScope temporaries = new PointerScope(BatchNormOptions.class)) {
        norm = register_module(name + "_norm", new BatchNorm2dImpl(new BatchNormOptions(out)));
      }
    }

    Tensor forward(Tensor input) {
      return torch.relu(norm.forward(convolution.forward(input)));
    }
  }

  // The scope releases the options but not the layer: it takes only objects of the classes it
  // names.
  @SuppressWarnings("unchecked") // a generic varargs array
  private static Conv2dImpl convolution(int in, int out, int kernel, int stride, boolean bias) {
    try (PointerScope temporaries =
        new PointerScope(
            Conv2dOptions.class, Conv2dPadding.class, LongPointer.class, BoolPointer.class)) {
      Conv2dOptions options = new Conv2dOptions(in, out, new LongPointer(kernel, kernel));
      options.stride().put(new long[] {stride, stride}); // put(long, long) takes an index
      options.padding().put(new LongPointer(kernel / 2, kernel / 2));
      options.bias().put(bias);
      return new Conv2dImpl(options);
    }
  }
}
