package org.structkd.data;

import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * Scenes of clothes as a data set for segmentation: images [B, 1, 48, 48] with labels [B, 48, 48],
 * classes 0 to 10. The seed is that of the scenes ({@link SceneConfig#seed}): it decides which
 * scenes there are, in every split, and the order of those that are labelled.
 *
 * @param scenes where the scenes come from
 * @param labelled training scenes that have labels, or {@link SceneBatches#ALL}
 * @param validation scenes of the validation split to evaluate on, 1 or more
 * @param test scenes of the test split to evaluate on, 1 or more
 */
public record FashionScenesDataset(FashionScenes scenes, int labelled, int validation, int test)
    implements Dataset {
  /** Checks the numbers. */
  public FashionScenesDataset {
    Objects.requireNonNull(scenes, "scenes");
    SceneBatches.requireLabelled(labelled);
    if (validation < 1 || test < 1) {
      throw new IllegalArgumentException(
          "scenes to evaluate on must be 1 or more but are validation %s and test %s"
              .formatted(validation, test));
    }
  }

  @Override
  public FashionScenesDataset withSeed(long seed) {
    return new FashionScenesDataset(
        scenes.withConfig(scenes.config().withSeed(seed)), labelled, validation, test);
  }

  @Override
  public SceneBatches training(int size) {
    return new SceneBatches(scenes, size, labelled);
  }

  @Override
  public int size(Split split) {
    return switch (split) {
      case VALIDATION -> validation;
      case TEST -> test;
      case TRAIN ->
          throw new IllegalArgumentException(
              "split is train, expected validation or test: there are as many training scenes as"
                  + " steps ask for");
    };
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    return SceneTensors.of(scenes.batch(split, first, count)).toBatch();
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.of(FashionScenes.CLASSES);
  }

  @Override
  public List<String> classNames() {
    return FashionScenes.CLASS_NAMES;
  }
}
