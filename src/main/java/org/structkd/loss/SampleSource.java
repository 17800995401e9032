package org.structkd.loss;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.ConstantLoss;
import org.structkd.internal.Labels;
import org.structkd.internal.MapView;
import org.structkd.internal.Operator;
import org.structkd.internal.TensorArguments;

/**
 * What pixels are drawn from: checked, and at the size of the map.
 *
 * @param config the rule
 * @param map the teacher's, whose size and device count
 * @param logits of the teacher, or null
 * @param labels or null: every pixel is a candidate
 */
record SampleSource(
    Sampling config, MapView map, @Nullable MapView logits, @Nullable Labels labels) {
  private static final String WHY_TEACHER = "samples are pixels that the teacher gets right";

  static SampleSource of(
      GlobalStructuralLoss loss, MapView map, @Nullable Tensor logits, @Nullable Tensor labels) {
    Sampling config = loss.sampling();
    // Balanced samples come to so many for each class, as the negative width does.
    long perClass = -loss.groupWidth();
    ConstantLoss.refuseIf(
        loss.comparison() == GlobalStructuralLoss.Comparison.DESCRIPTOR_RELATION
            && config.strategy() == Sampling.Strategy.CLASS_BALANCED
            && perClass > 0
            && config.samples() / perClass < 2,
        map,
        ("gives %s samples per class, of which groupWidth %s makes less than two"
                + " groups to relate; expected at most half of them")
            .formatted(config.samples(), -perClass));
    if (config.strategy() == Sampling.Strategy.RANDOM_GRID && map.isTokens()) {
      throw new IllegalArgumentException(
          ("%s: %s are tokens, which have no quadrants: reshape them to a map"
                  + " [batch, channels, height, width], or use Sampling.random(samples)")
              .formatted(map.loss(), TensorArguments.describe(map.name(), map.given())));
    }
    boolean quarters = config.strategy() == Sampling.Strategy.RANDOM_GRID;
    long height = map.map().size(2);
    long width = map.map().size(3);
    long candidates = quarters ? ((height + 1) / 2) * ((width + 1) / 2) : height * width;
    ConstantLoss.refuseIf(
        config.minCandidates() > candidates,
        map,
        "has at most "
            + candidates
            + (quarters ? " candidates in a quadrant" : " candidates")
            + ", but minCandidates is "
            + config.minCandidates()
            + ", so that no sample is ever drawn");
    if (config.teacherCorrectOnly()) {
      requireFor(map, "teacherLogits", logits, WHY_TEACHER, "");
    }
    if (config.teacherCorrectOnly() || config.strategy() == Sampling.Strategy.CLASS_BALANCED) {
      requireFor(
          map,
          "labels",
          labels,
          config.teacherCorrectOnly() ? WHY_TEACHER : "samples are balanced over classes",
          ", or Sampling.random(samples)");
    }
    MapView seenLogits = logits == null ? null : logits(map, logits);
    Labels seenLabels = labels == null ? null : Labels.of(map, labels, config.ignoreIndex());
    if (seenLogits != null && seenLabels != null) {
      seenLabels.requireClasses(seenLogits.map().size(1), "teacherLogits");
    }
    return new SampleSource(config, map, seenLogits, seenLabels);
  }

  private static void requireFor(
      MapView map, String argument, @Nullable Tensor tensor, String why, String otherwise) {
    if (tensor == null) {
      throw new IllegalArgumentException(
          "%s: %s is null, but %s: pass it, or use withTeacherCorrectOnly(false)%s"
              .formatted(map.loss(), argument, why, otherwise));
    }
  }

  private static MapView logits(MapView map, Tensor given) {
    MapView logits = MapView.of(map.loss(), "teacherLogits", given, MapView.Accepts.TOKENS);
    Tensor seen = logits.map();
    Tensor teacher = map.map();
    if (seen.size(0) != teacher.size(0)
        || seen.size(2) != teacher.size(2)
        || seen.size(3) != teacher.size(3)) {
      throw new IllegalArgumentException(
          map.loss()
              + ": "
              + TensorArguments.describe("teacherLogits", given)
              + " and "
              + TensorArguments.describe(map.name(), map.given())
              + " differ in batch, height or width: resize the logits to the feature map");
    }
    TensorArguments.requireSameDevice(map.loss(), "teacherLogits", given, map.name(), map.given());
    return logits;
  }

  /** Draws; null where the samples are every pixel in its order, which needs no draw. */
  @Nullable Tensor drawUnlessAll(long seed, Tensor step) {
    boolean takesAll =
        config.strategy() == Sampling.Strategy.ALL
            && labels == null
            && config.minCandidates() <= map.map().size(2) * map.map().size(3);
    return takesAll ? null : draw(seed, step);
  }

  /** Draws samples as I32 [B, 2 + M]: counts, then indices. */
  Tensor draw(long seed, Tensor step) {
    return Operator.call(
        "global_structural_sample",
        map.map().detach(),
        logits == null ? null : logits.map().detach(),
        labels == null ? null : labels.values(),
        config.strategy(),
        config.fill(),
        config.draw(),
        config.teacherCorrectOnly(),
        config.samples(),
        config.minCandidates(),
        classes(),
        config.ignoreIndex(),
        seed,
        step);
  }

  /** Classes that labels can have. */
  private long classes() {
    if (logits != null) {
      return logits.map().size(1);
    }
    return labels == null ? 1 : labels.classes();
  }
}
