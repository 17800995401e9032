package org.structkd.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/** The layers that make maps of images, which a {@link BackboneHead} reads. */
interface BackboneLayers {
  /** The fourth stage, the deepest. */
  int DEEPEST = 3;

  /**
   * {@return four maps, at a quarter, an eighth, a sixteenth and a thirty-second of the images, or
   * larger where the output stride says so; sizes are rounded up}
   *
   * @param images [B, C, H, W]
   * @param kept what is kept of the stem and of each block for backward
   */
  List<Tensor> stages(Tensor images, Stages kept);

  /**
   * {@return what each stage gives, one after the other}
   *
   * @param stages the blocks of each
   * @param stem what the first block reads
   * @param kept what is kept of each block for backward
   */
  static List<Tensor> through(List<List<UnaryOperator<Tensor>>> stages, Tensor stem, Stages kept) {
    List<Tensor> maps = new ArrayList<>();
    Tensor map = stem;
    for (List<UnaryOperator<Tensor>> stage : stages) {
      for (UnaryOperator<Tensor> block : stage) {
        map = kept.of(block, map);
      }
      maps.add(map);
    }
    return maps;
  }

  /** {@return channels of each stage} */
  List<Integer> channels();

  /**
   * {@return what a classifier takes the mean of} By default the deepest stage itself.
   *
   * @param deepest the deepest stage
   */
  default Tensor last(Tensor deepest) {
    return deepest;
  }

  /** {@return channels of {@link #last}} */
  default int lastChannels() {
    return channels().get(DEEPEST);
  }

  /**
   * {@return channels at a width, as torchvision rounds them: a multiple of 8 that is no more than
   * a tenth below}
   *
   * @param channels at width 1
   */
  static int scaled(int channels, double width) {
    double wanted = channels * width;
    int rounded = Math.max(8, (int) (wanted + 4) / 8 * 8);
    return rounded < 0.9 * wanted ? rounded + 8 : rounded;
  }
}
