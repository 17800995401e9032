package org.structkd.testing;

import org.structkd.data.FashionScenes;
import org.structkd.data.FashionScenesDataset;
import org.structkd.data.SceneBatches;
import org.structkd.data.Split;
import org.structkd.metric.DatasetEvaluation;
import org.structkd.metric.SegmentationMetric;

/** Scores of segmentation on scenes. */
public final class Evaluations {
  private Evaluations() {}

  /** On the first scenes of a split, by class scores of a tap. */
  public static DatasetEvaluation of(FashionScenes scenes, Split split, int count, String tap) {
    return new DatasetEvaluation(
        new FashionScenesDataset(scenes, SceneBatches.ALL, count, count),
        split,
        new SegmentationMetric(tap, FashionScenes.CLASS_NAMES));
  }
}
