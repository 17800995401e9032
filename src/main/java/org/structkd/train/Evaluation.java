package org.structkd.train;

import java.util.Arrays;
import java.util.TreeSet;
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
   * @throws IllegalArgumentException if it has no such tap, or the tap has another size than [B,
   *     classes, H, W]
   */
  public SegmentationScore of(TappedNetwork network, Device device) {
    SegmentationScore score = new SegmentationScore(FashionScenes.CLASSES);
    for (int first = 0; first < count; first += BATCH) {
      try (PointerScope temporaries = new PointerScope()) {
        SceneTensors batch =
            SceneTensors.of(scenes.batch(split, first, Math.min(BATCH, count - first)));
        Tensor images = Devices.moved(batch.images(), device);
        Tensor predictions = scores(network, images).argmax(new LongOptional(1), false);
        score.add(batch.labels(), predictions.cpu());
      }
    }
    return score;
  }

  private Tensor scores(TappedNetwork network, Tensor images) {
    if (!network.taps().contains(tap)) {
      throw new IllegalArgumentException(
          "evaluation: the network has no tap \""
              + tap
              + "\", it has: "
              + String.join(", ", new TreeSet<>(network.taps())));
    }
    Tensor scores = network.infer(images).get(tap);
    long[] expected = {images.size(0), FashionScenes.CLASSES, images.size(2), images.size(3)};
    if (!Arrays.equals(expected, scores.shape())) {
      throw new IllegalArgumentException(
          "evaluation: tap \""
              + tap
              + "\" is "
              + Arrays.toString(scores.shape())
              + ", expected "
              + Arrays.toString(expected));
    }
    return scores;
  }

  /** Scores one scene, so that what cannot be evaluated is known before a training. */
  void requireFit(TappedNetwork network, Device device) {
    new Evaluation(scenes, split, 1, tap).of(network, device);
  }
}
