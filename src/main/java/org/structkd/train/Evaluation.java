package org.structkd.train;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneTensors;
import org.structkd.data.SegmentationScore;
import org.structkd.data.Split;
import org.structkd.model.TappedNetwork;

/**
 * Scores networks on scenes whose garments no training has seen.
 *
 * @param scenes the scenes
 * @param split which of them
 * @param count how many, from index 0 on; 1 or more
 * @param tap output with class scores [B, K, H, W] at the size of the images
 */
public record Evaluation(FashionScenes scenes, Split split, int count, String tap) {
  /** Scenes at a time: bounds the memory. */
  private static final int BATCH = 50;

  /** Checks the number. */
  public Evaluation {
    if (count < 1) {
      throw new IllegalArgumentException("scenes to evaluate must be 1 or more but is " + count);
    }
  }

  /**
   * {@return the score of a network}
   *
   * @param network which
   * @param device where it is
   */
  public SegmentationScore of(TappedNetwork network, Device device) {
    SegmentationScore score = new SegmentationScore(FashionScenes.CLASSES);
    for (int first = 0; first < count; first += BATCH) {
      try (PointerScope temporaries = new PointerScope()) {
        SceneTensors batch =
            SceneTensors.of(scenes.batch(split, first, Math.min(BATCH, count - first)));
        Tensor images = Devices.moved(batch.images(), device);
        Tensor predictions = network.infer(images).get(tap).argmax(new LongOptional(1), false);
        score.add(batch.labels(), predictions.cpu());
      }
    }
    return score;
  }
}
