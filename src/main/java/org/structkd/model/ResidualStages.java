package org.structkd.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;

/**
 * A first convolution, three stages of {@link ResidualBlock}s, of which the second and the third
 * halve the map and double the channels, the mean over all positions, and a linear layer.
 */
final class ResidualStages implements BuiltNetwork.Staged {
  /**
   * What there is of each.
   *
   * @param channels of the images
   * @param stem channels of the first convolution
   * @param width channels of the first stage
   * @param blocks of each stage
   * @param classes numbers that the linear layer puts out
   * @param order of the layers in all blocks
   */
  record Plan(
      int channels, int stem, int width, int blocks, int classes, ResidualBlock.Order order) {}

  private static final List<String> NAMES =
      List.of(ImageClassifier.STAGE1, ImageClassifier.STAGE2, ImageClassifier.STAGE3);

  /** All taps of a network of such stages. */
  static final Set<String> TAPS =
      Set.of(
          ImageClassifier.STAGE1,
          ImageClassifier.STAGE2,
          ImageClassifier.STAGE3,
          ImageClassifier.EMBEDDINGS,
          ImageClassifier.LOGITS);

  private final Module module = new ModuleDictImpl(); // Module's own leaves JNI errors unchecked
  private final UnaryOperator<Tensor> first;
  private final List<List<ResidualBlock>> stages = new ArrayList<>();
  private final UnaryOperator<Tensor> last;
  private final LinearImpl head;

  ResidualStages(Plan plan) {
    first = plan.order.first(module, "first", plan.channels, plan.stem);
    int in = plan.stem;
    for (int stage = 0; stage < NAMES.size(); stage++) {
      int out = plan.width << stage;
      List<ResidualBlock> blocks = new ArrayList<>();
      for (int block = 0; block < plan.blocks; block++) {
        String name = NAMES.get(stage) + "_block" + (block + 1);
        int stride = stage > 0 && block == 0 ? 2 : 1;
        blocks.add(plan.order.block(module, name, in, out, stride));
        in = out;
      }
      stages.add(blocks);
    }
    last = plan.order.last(module, "last", in);
    head = module.register_module("head", new LinearImpl(in, plan.classes));
  }

  @Override
  public Map<String, Tensor> forward(Map<String, Tensor> inputs, Stages kept) {
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    Tensor map = kept.of(first, inputs.get(TappedNetwork.IMAGES));
    for (int stage = 0; stage < NAMES.size(); stage++) {
      for (ResidualBlock block : stages.get(stage)) {
        map = kept.of(block::forward, map);
      }
      outputs.put(NAMES.get(stage), map);
    }
    Tensor embedding = kept.of(last, map).mean(2, 3);
    outputs.put(ImageClassifier.EMBEDDINGS, embedding);
    outputs.put(ImageClassifier.LOGITS, head.forward(embedding));
    return outputs;
  }

  @Override
  public Module module() {
    return module;
  }
}
