package org.structkd.loss;

import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Generators;
import org.structkd.internal.Layers;
import org.structkd.internal.Owned;

/**
 * Brings a student's map to the teacher's channels: 1x1 convolution without bias and batch
 * normalisation, weights by He's rule. It learns with the student and is not needed afterwards.
 *
 * <p>Source: bhheo/AB_distillation, {@code models/distillation_module.py}.
 */
final class Connector implements TrainedPart {
  private final Owned<Head> head;

  /** The layers. */
  private static final class Head {
    private final Module module = new ModuleDictImpl();
    private final Conv2dImpl convolution;
    private final BatchNorm2dImpl norm;

    Head(int in, int out) {
      convolution = Layers.convolution(module, "convolution", in, out, 1, 1, false);
      norm = Layers.batchNorm(module, "norm", out);
      try (NoGradGuard initial = new NoGradGuard()) {
        convolution.weight().normal_(0, Math.sqrt(2.0 / out), new GeneratorOptional());
      }
    }
  }

  /** A connector with random weights. */
  Connector(int studentChannels, int teacherChannels, long seed) {
    head =
        Owned.make(
            "connector",
            () -> Generators.seeded(seed, () -> new Head(studentChannels, teacherChannels)));
  }

  /** Connects a map [B, Cs, H, W], in the type of the weights. */
  Tensor forward(Tensor map) {
    Head layers = head.get();
    Tensor weights = layers.convolution.weight();
    return layers.norm.forward(layers.convolution.forward(map.to(weights.scalar_type())));
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
