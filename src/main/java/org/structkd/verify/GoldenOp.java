package org.structkd.verify;

import java.util.Map;
import java.util.TreeMap;

/** How the cases of one op are computed. Implementations have no state. */
sealed interface GoldenOp
    permits AdaptiveLossWeightingGolden,
        GlobalStructuralGolden,
        InterClassSimilarityGolden,
        PairwiseGolden,
        PixelwiseGolden {
  /** Ops of this version, by their name in golden files. */
  Map<String, GoldenOp> ALL =
      new TreeMap<>(
          Map.of(
              "adaptive_loss_weighting",
              new AdaptiveLossWeightingGolden(),
              "global_structural",
              new GlobalStructuralGolden(),
              "inter_class_similarity",
              new InterClassSimilarityGolden(),
              "pairwise",
              new PairwiseGolden(),
              "pixelwise",
              new PixelwiseGolden()));

  /**
   * Understands the options of a case; computes nothing yet.
   *
   * @throws CaseFailureException if an option is unknown or has an unknown value
   * @throws IllegalArgumentException if the loss refuses the options
   * @throws BadGoldenFileException if the case lacks what it needs
   */
  Prepared prepare(GoldenCase golden);

  /**
   * A case that is ready to run.
   *
   * @param composition made of LibTorch operators or of plain Java, so that no backend takes part
   * @param computation the rest
   */
  record Prepared(boolean composition, Computation computation) {
    static Prepared kernel(Computation computation) {
      return new Prepared(false, computation);
    }

    static Prepared composition(Computation computation) {
      return new Prepared(true, computation);
    }
  }

  /** Computes all that cases of this op may store. Runs in a PointerScope of its caller. */
  @FunctionalInterface
  interface Computation {
    /**
     * Runs the case with inputs of one element type on one device.
     *
     * @throws IllegalArgumentException if the inputs do not fit together
     */
    GoldenResult compute(Placement placement);
  }
}
