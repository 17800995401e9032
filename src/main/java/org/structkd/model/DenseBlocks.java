package org.structkd.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** The layers of a {@link DenseNet}. */
final class DenseBlocks implements BuiltNetwork.Staged {
  /** Channels between the two convolutions of a layer, in growths; the publication's. */
  private static final int BOTTLENECK = 4;

  /** Channels of the first convolution, in growths; the publication's with bottlenecks. */
  private static final int STEM = 2;

  private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
  private final List<ConvolutionLayer> convolutions = new ArrayList<>();
  private final ConvolutionLayer first;
  private final List<List<DenseLayer>> blocks = new ArrayList<>();

  /** One less than blocks. */
  private final List<ConvolutionLayer> transitions = new ArrayList<>();

  private final Normalization last;
  private final LinearImpl head;

  /** Two convolutions, whose result is appended to what they read. */
  private record DenseLayer(ConvolutionLayer bottleneck, ConvolutionLayer growth) {
    Tensor forward(Tensor map) {
      return torch.cat(new TensorVector(map, growth.forward(bottleneck.forward(map))), 1);
    }
  }

  DenseBlocks(DenseNet.Config config) {
    int growth = config.growth();
    int in = STEM * growth;
    first = added(ConvolutionLayer.plain(module, "first_conv", config.channels(), in));
    for (int number = 1; number <= config.blocks(); number++) {
      List<DenseLayer> block = new ArrayList<>();
      for (int layer = 1; layer <= config.layers(); layer++) {
        String name = "block" + number + "_layer" + layer;
        int inner = BOTTLENECK * growth;
        block.add(
            new DenseLayer(
                added(ConvolutionLayer.preActivated(module, name + "_first", in, inner, 1)),
                added(ConvolutionLayer.preActivated(module, name + "_second", inner, growth, 3))));
        in += growth;
      }
      blocks.add(block);
      if (number < config.blocks()) {
        int kept = Math.max(1, (int) (config.compression() * in));
        String name = "transition" + number;
        transitions.add(added(ConvolutionLayer.preActivated(module, name, in, kept, 1)));
        in = kept;
      }
    }
    last = new Normalization(module, DenseNet.LAST_NORM, in);
    head = module.register_module("head", new LinearImpl(in, config.classes()));
  }

  private ConvolutionLayer added(ConvolutionLayer layer) {
    convolutions.add(layer);
    return layer;
  }

  @Override
  public Map<String, Tensor> forward(Map<String, Tensor> inputs, Stages stages) {
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    Tensor map = stages.of(first::forward, inputs.get(TappedNetwork.IMAGES));
    for (int at = 0; at < transitions.size(); at++) {
      List<DenseLayer> block = blocks.get(at);
      ConvolutionLayer transition = transitions.get(at);
      Tensor normalized = stages.of(in -> transition.normalized(through(block, in)), map);
      outputs.put(DenseNet.transitionNorm(at + 1), normalized);
      map = stages.of(in -> halved(transition.activated(in)), normalized);
    }
    List<DenseLayer> block = blocks.get(transitions.size());
    Tensor normalized = stages.of(in -> lastNormalized(through(block, in)), map);
    outputs.put(DenseNet.LAST_NORM, normalized);
    Tensor embedding = torch.relu(normalized).mean(2, 3);
    outputs.put(ImageClassifier.EMBEDDINGS, embedding);
    outputs.put(ImageClassifier.LOGITS, head.forward(embedding));
    return outputs;
  }

  private static Tensor through(List<DenseLayer> block, Tensor map) {
    Tensor grown = map;
    for (DenseLayer layer : block) {
      grown = layer.forward(grown);
    }
    return grown;
  }

  private Tensor lastNormalized(Tensor map) {
    boolean rounds = convolutions.stream().anyMatch(ConvolutionLayer::rounds);
    return rounds ? last.resting(map) : last.forward(map);
  }

  /** Means of 2x2 positions; at an odd end, of those that there are. */
  private static Tensor halved(Tensor map) {
    long[] window = {2, 2};
    return torch.avg_pool2d(
        map, window, window, new long[] {0, 0}, true, false, new LongOptional());
  }

  @Override
  public List<ConvolutionLayer> convolutions() {
    return List.copyOf(convolutions);
  }

  @Override
  public Module module() {
    return module;
  }
}
