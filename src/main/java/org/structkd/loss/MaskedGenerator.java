package org.structkd.loss;

import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.MapPair;
import org.structkd.internal.MapView;
import org.structkd.internal.Owned;
import org.structkd.internal.TensorArguments;

/**
 * Makes a teacher's map of a student's that is masked: a 1x1 convolution to the teacher's channels
 * where they differ, the mask, and two 3x3 convolutions with a ReLU between, all with bias. It
 * learns with the student and is not needed afterwards.
 *
 * <p>Source: yzd-v/MGD 046aba2, {@code seg/mmseg/distillation/losses/mgd.py}.
 */
final class MaskedGenerator implements TrainedPart {
  private static final int KERNEL = 3;

  private final long seed;
  private final Owned<Head> head;

  /** The layers. */
  private static final class Head {
    private final Module module = new ModuleDictImpl();
    private final @Nullable Conv2dImpl align;
    private final Conv2dImpl first;
    private final Conv2dImpl second;

    Head(int in, int out) {
      align = in == out ? null : Layers.convolution(module, "align", in, out, 1, 1, true);
      first = Layers.convolution(module, "first", out, out, KERNEL, 1, true);
      second = Layers.convolution(module, "second", out, out, KERNEL, 1, true);
    }

    long channels() {
      return (align == null ? first : align).weight().size(1);
    }
  }

  /** A generator with the initial weights that LibTorch gives such layers. */
  MaskedGenerator(MapPair maps, long seed) {
    int in = (int) maps.student().map().size(1);
    int out = (int) maps.teacher().map().size(1);
    this.seed = seed;
    head = Owned.make("generator", () -> Generators.seeded(seed, () -> new Head(in, out)));
  }

  /** {@return what its masks are drawn by, with the step} */
  long seed() {
    return seed;
  }

  /**
   * {@return the pair with a map [B, Ct, H, W] made of the student's, in the type of the weights}
   *
   * @param mask takes what is left out away from the student's map of Ct channels
   * @throws IllegalArgumentException if the student's map does not have the channels that the
   *     generator was made for
   */
  MapPair generate(MapPair maps, UnaryOperator<Tensor> mask) {
    MapView student = maps.student();
    if (student.map().size(1) != head.get().channels()) {
      throw new IllegalArgumentException(
          "%s: %s has %d channels, but the generator was made for %d"
              .formatted(
                  student.loss(),
                  TensorArguments.describe(student.name(), student.given()),
                  student.map().size(1),
                  head.get().channels()));
    }
    return new MapPair(student.made(map -> generated(map, mask)), maps.teacher());
  }

  private Tensor generated(Tensor map, UnaryOperator<Tensor> mask) {
    Head layers = head.get();
    Tensor s = map.to(layers.first.weight().scalar_type());
    Tensor masked = mask.apply(layers.align == null ? s : layers.align.forward(s));
    return layers.second.forward(torch.relu(layers.first.forward(masked)));
  }

  @Override
  public Module module() {
    return head.get().module;
  }

  @Override
  public void close() {
    head.close();
  }
}
