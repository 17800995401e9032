package com.example.distill;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.structkd.data.FashionScenes;
import org.structkd.data.SceneTensors;
import org.structkd.data.Split;
import org.structkd.metric.SegmentationScore;

/** Scores a net on scenes whose garments no training has seen. */
final class Evaluation {
  static final int SCENES = 1000;
  private static final int BATCH = 50;

  private Evaluation() {}

  /** Leaves the net in evaluation mode: its batch norms use the statistics of the training. */
  static SegmentationScore test(SegmentationNet net, FashionScenes scenes) {
    SegmentationScore score = new SegmentationScore(FashionScenes.CLASSES);
    net.eval();
    for (int first = 0; first < SCENES; first += BATCH) {
      try (PointerScope scope = new PointerScope()) {
        SceneTensors batch = SceneTensors.of(scenes.batch(Split.TEST, first, BATCH));
        Tensor upsampled = net.infer(batch.images()).get("upsampled");
        score.add(batch.labels(), upsampled.argmax(new LongOptional(1), false));
      }
    }
    return score;
  }
}
