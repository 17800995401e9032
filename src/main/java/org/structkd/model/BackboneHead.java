package org.structkd.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.structkd.internal.Layers;
import org.structkd.internal.NativeOps;
import org.structkd.model.NormedConvolution.Kernel;

/** The layers that make class scores of a backbone's maps. */
interface BackboneHead {
  /** The layer that tells classes, in all heads. */
  String CLASSIFIER = "classifier";

  /**
   * {@return its taps with their tensors, among them class scores}
   *
   * @param stages of the backbone
   * @param embeddings means over the positions of its last map, [B, C]
   */
  Map<String, Tensor> forward(List<Tensor> stages, Tensor embeddings);

  /** {@return a map enlarged to the height and width of another, bilinearly} */
  static Tensor resized(Tensor map, Tensor target) {
    return NativeOps.resized(map, target, 1, false);
  }

  private static Conv2dImpl pointwise(Module owner, String name, int in, int out, boolean bias) {
    return Layers.convolution(owner, name, in, out, 1, 1, bias);
  }

  private static Map<String, Tensor> outputs(Tensor features, Tensor logits) {
    return Map.of(BackboneNet.FEATURES, features, BackboneNet.LOGITS, logits);
  }

  /** One position of each image, as a map. */
  private static Tensor onePosition(Tensor embeddings) {
    return embeddings.unsqueeze(2).unsqueeze(3);
  }

  /** A linear layer on the means. */
  final class Classifier implements BackboneHead {
    private final LinearImpl classifier;

    Classifier(Module owner, BackboneLayers backbone, BackboneNet.Config config) {
      classifier =
          owner.register_module(
              CLASSIFIER, new LinearImpl(backbone.lastChannels(), config.classes()));
    }

    @Override
    public Map<String, Tensor> forward(List<Tensor> stages, Tensor embeddings) {
      return Map.of(BackboneNet.LOGITS, classifier.forward(embeddings));
    }
  }

  /**
   * Pyramid pooling: means over 1, 2 x 2, 3 x 3 and 6 x 6 parts of the deepest map, each with a
   * quarter of its channels, beside the map itself. H. Zhao, J. Shi, X. Qi, X. Wang, J. Jia,
   * "Pyramid Scene Parsing Network", CVPR 2017, section 3.2.
   */
  final class PyramidPooling implements BackboneHead {
    private static final int[] SIDES = {1, 2, 3, 6};

    private final NormedConvolution[] pyramid = new NormedConvolution[SIDES.length];
    private final NormedConvolution joining;
    private final Conv2dImpl classifier;

    PyramidPooling(Module owner, BackboneLayers backbone, BackboneNet.Config config) {
      int in = backbone.channels().get(BackboneLayers.DEEPEST);
      int each = in / SIDES.length;
      for (int i = 0; i < SIDES.length; i++) {
        pyramid[i] = NormedConvolution.of(owner, "pyramid" + SIDES[i], in, each, Kernel.of(1));
      }
      int joined = in + SIDES.length * each;
      joining = NormedConvolution.of(owner, "joining", joined, config.features(), Kernel.of(3));
      classifier = pointwise(owner, CLASSIFIER, config.features(), config.classes(), true);
    }

    @Override
    public Map<String, Tensor> forward(List<Tensor> stages, Tensor embeddings) {
      Tensor map = stages.get(BackboneLayers.DEEPEST);
      TensorVector joined = new TensorVector(map);
      for (int i = 0; i < SIDES.length; i++) {
        Tensor pooled = torch.adaptive_avg_pool2d(map, SIDES[i], SIDES[i]);
        joined.push_back(resized(torch.relu(pyramid[i].forward(pooled)), map));
      }
      Tensor features = torch.relu(joining.forward(torch.cat(joined, 1)));
      return outputs(features, classifier.forward(features));
    }
  }

  /**
   * Atrous spatial pyramid pooling of the deepest map, enlarged and joined with the first stage.
   * L.-C. Chen, Y. Zhu, G. Papandreou, F. Schroff, H. Adam, "Encoder-Decoder with Atrous Separable
   * Convolution for Semantic Image Segmentation", ECCV 2018; of ordinary convolutions, or with each
   * 3x3 one separable, as its released code has it.
   */
  final class AtrousPyramid implements BackboneHead {
    /** Dilations in steps of 6 at output stride 16, of 12 at 8, section 3.1. */
    private static final int RATES = 3;

    private static final int RATE_TIMES_STRIDE = 6 * 16;

    /** Sixteenths of the features that the first stage is reduced to: 48 of 256, table 1. */
    private static final int LOW_SIXTEENTHS = 3;

    private final List<UnaryOperator<Tensor>> atrous = new ArrayList<>();
    private final NormedConvolution pooled;
    private final NormedConvolution joining;
    private final NormedConvolution low;
    private final UnaryOperator<Tensor> first;
    private final UnaryOperator<Tensor> second;
    private final Conv2dImpl classifier;

    /** One of ordinary convolutions. */
    AtrousPyramid(Module owner, BackboneLayers backbone, BackboneNet.Config config) {
      this(owner, backbone, config, AtrousPyramid::ordinary);
    }

    /** {@return one whose 3x3 convolutions are separable} */
    static AtrousPyramid ofSeparable(
        Module owner, BackboneLayers backbone, BackboneNet.Config config) {
      return new AtrousPyramid(owner, backbone, config, AtrousPyramid::separable);
    }

    private AtrousPyramid(
        Module owner, BackboneLayers backbone, BackboneNet.Config config, LayerMaker spatial) {
      int in = backbone.channels().get(BackboneLayers.DEEPEST);
      int features = config.features();
      atrous.add(ordinary(owner, "atrous0", in, features, Kernel.of(1)));
      for (int i = 1; i <= RATES; i++) {
        Kernel kernel = Kernel.of(3).withDilation(i * RATE_TIMES_STRIDE / config.outputStride());
        atrous.add(spatial.make(owner, "atrous" + i, in, features, kernel));
      }
      pooled = NormedConvolution.of(owner, "pooled", in, features, Kernel.of(1));
      int joined = (atrous.size() + 1) * features;
      joining = NormedConvolution.of(owner, "joining", joined, features, Kernel.of(1));
      int reduced = Math.max(1, LOW_SIXTEENTHS * features / 16);
      low = NormedConvolution.of(owner, "low", backbone.channels().get(0), reduced, Kernel.of(1));
      first = spatial.make(owner, "first", features + reduced, features, Kernel.of(3));
      second = spatial.make(owner, "second", features, features, Kernel.of(3));
      classifier = pointwise(owner, CLASSIFIER, features, config.classes(), true);
    }

    /** Makes a convolution with what follows it, up to a ReLU. */
    private interface LayerMaker {
      UnaryOperator<Tensor> make(Module owner, String name, int in, int out, Kernel kernel);
    }

    private static UnaryOperator<Tensor> ordinary(
        Module owner, String name, int in, int out, Kernel kernel) {
      NormedConvolution all = NormedConvolution.of(owner, name, in, out, kernel);
      return map -> torch.relu(all.forward(map));
    }

    /** Of each channel by itself, and then of each position by itself. */
    private static UnaryOperator<Tensor> separable(
        Module owner, String name, int in, int out, Kernel kernel) {
      return ordinary(owner, name + "_depthwise", in, in, kernel.withGroups(in))
              .andThen(ordinary(owner, name + "_pointwise", in, out, Kernel.of(1)))
          ::apply;
    }

    @Override
    public Map<String, Tensor> forward(List<Tensor> stages, Tensor embeddings) {
      Tensor map = stages.get(BackboneLayers.DEEPEST);
      TensorVector views = new TensorVector();
      for (UnaryOperator<Tensor> view : atrous) {
        views.push_back(view.apply(map));
      }
      views.push_back(resized(torch.relu(pooled.forward(onePosition(embeddings))), map));
      Tensor context = torch.relu(joining.forward(torch.cat(views, 1)));
      Tensor fine = torch.relu(low.forward(stages.get(0)));
      Tensor both = torch.cat(new TensorVector(resized(context, fine), fine), 1);
      Tensor features = second.apply(first.apply(both));
      return outputs(features, classifier.forward(features));
    }
  }

  /**
   * LR-ASPP, a light head: the deepest map, of which a gate that sees the whole image lets some
   * channels pass, and the second stage each tell classes. A. Howard and others, "Searching for
   * MobileNetV3", ICCV 2019, section 6.4; the mean over the whole image as in torchvision.
   */
  final class LightPyramid implements BackboneHead {
    private static final int FINE_STAGE = 1;

    private final NormedConvolution features;
    private final Conv2dImpl gate;
    private final Conv2dImpl fine;
    private final Conv2dImpl classifier;

    LightPyramid(Module owner, BackboneLayers backbone, BackboneNet.Config config) {
      int in = backbone.channels().get(BackboneLayers.DEEPEST);
      features = NormedConvolution.of(owner, "features", in, config.features(), Kernel.of(1));
      gate = pointwise(owner, "gate", in, config.features(), false);
      int low = backbone.channels().get(FINE_STAGE);
      fine = pointwise(owner, "fine", low, config.classes(), true);
      classifier = pointwise(owner, CLASSIFIER, config.features(), config.classes(), true);
    }

    @Override
    public Map<String, Tensor> forward(List<Tensor> stages, Tensor embeddings) {
      Tensor low = stages.get(FINE_STAGE);
      Tensor map = torch.relu(features.forward(stages.get(BackboneLayers.DEEPEST)));
      Tensor passed = map.mul(torch.sigmoid(gate.forward(onePosition(embeddings))));
      Tensor enlarged = resized(passed, low);
      return outputs(enlarged, classifier.forward(enlarged).add(fine.forward(low)));
    }
  }
}
