package org.structkd.testing;

import java.util.Map;
import java.util.function.Consumer;
import org.structkd.data.FashionScenes;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.StepLoss;
import org.structkd.train.TrainingListener;

/** Networks for scenes, what their files hold, and listeners to steps. */
public final class SmallTrainings {
  private SmallTrainings() {}

  /** A network for scenes of clothes. */
  public static SegmentationNet net(int width, long seed) {
    return new SegmentationNet(new SegmentationNet.Config(1, width, FashionScenes.CLASSES), seed);
  }

  /** Its file. */
  public static byte[] bytes(TrainableNetwork net) {
    return net.toFile(Map.of()).toBytes();
  }

  /** Does something after each step. */
  public static TrainingListener onStep(Consumer<StepLoss> action) {
    return new TrainingListener() {
      @Override
      public void onStep(StepLoss loss, double learningRate) {
        action.accept(loss);
      }
    };
  }

  /** Does something after one step. */
  public static TrainingListener atStep(long step, Runnable action) {
    return onStep(
        loss -> {
          if (loss.step() == step) {
            action.run();
          }
        });
  }
}
