package org.structkd.testing;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.global.torch;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TrainableNetwork;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.train.Distiller;
import org.structkd.train.TrainingConfig;
import org.structkd.train.TrainingListener;

/** Networks for scenes, what their files hold, and listeners to steps. */
public final class SmallTrainings {
  private SmallTrainings() {}

  /** A network for scenes of clothes. */
  public static SegmentationNet net(int width, long seed) {
    return new SegmentationNet(new SegmentationNet.Config(1, width, FashionScenes.CLASSES), seed);
  }

  /**
   * Trains such a network for 30 steps of 2 scenes, with an evaluation after each 15 and a
   * checkpoint after each 4.
   *
   * @param checkpoint where
   * @param listeners told in this order
   */
  public static void train(
      FashionScenes scenes, Objective objective, Path checkpoint, List<TrainingListener> listeners)
      throws IOException {
    try (PointerScope scope = new PointerScope()) {
      torch.set_num_threads(1);
      Distiller distiller =
          new Distiller(
                  TrainingConfig.of(30, 0.01).withEvaluateEvery(15).withCheckpointEvery(4),
                  objective,
                  SceneBatches.of(scenes, 2))
              .withCheckpoint(checkpoint)
              .withEvaluation(
                  Evaluations.of(scenes, Split.VALIDATION, 2, SegmentationNet.UPSAMPLED));
      listeners.forEach(distiller::withListener);
      distiller.train(net(2, 1));
    }
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
